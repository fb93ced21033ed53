/** Why a version answers what it answers: the features that moved its probability most. */
import type { Schemas } from "../contract.ts";
import { el } from "../dom.ts";
import { fixed, probability } from "../format.ts";

const SHOWN = 6;
type Stage = { probability_of: string; used: boolean; base_value: number; value: number; features: { [name: string]: number } };

/** An explanation as lists of the largest contributions, a list for each stage. */
export function explanationList(explanation: Schemas["Explanation"]): HTMLElement {
  return el("div", { class: "stages" }, stage("Stage 1", explanation.stage1), explanation.stage2 === null ? null : stage("Stage 2", explanation.stage2));
}

function stage(name: string, { probability_of: of, used, base_value: base, value, features }: Stage): HTMLElement {
  const sorted = Object.entries(features).sort(([, one], [, other]) => Math.abs(other) - Math.abs(one));
  const rest = sorted.slice(SHOWN).reduce((sum, [, moved]) => sum + moved, 0);
  const signed = (moved: number): string => (moved >= 0 ? "+" : "") + fixed(moved, 3);
  const items = sorted.slice(0, SHOWN).map(([feature, moved]) => [feature, moved] as const);
  if (sorted.length > SHOWN) items.push([`${sorted.length - SHOWN} others together`, rest]);
  return el(
    "section",
    { class: "why" },
    el("h4", {}, `${name}: ${of} ${probability(value)}`),
    el("p", { class: "soft small" }, `A usual window has ${probability(base)}. ${used ? "" : "The signal does not depend on this stage here. "}What moved it:`),
    el("ul", { class: "plain-list moved" }, ...items.map(([feature, moved]) => el("li", {}, el("code", {}, feature), el("span", { class: "number" }, signed(moved))))),
  );
}
