/** Why a signal was given: the Shapley value of each feature, from the base value to the probability. */
import type { Api } from "../../api.ts";
import type { KeptWindow, Schemas } from "../../contract.ts";
import { card, el, fill, note } from "../../dom.ts";
import { type Bar, bars, range } from "../../figures/explanation.ts";
import { fixed, probability } from "../../format.ts";

export type Shown = NonNullable<KeptWindow["window"]>;
type Explanation = Schemas["Explanation"];
type Stage = Explanation["stage1"] | NonNullable<Explanation["stage2"]>;
type Why = { element: HTMLElement; draw: (shown: Shown) => void };

const BACKGROUNDS = [1, 10, 50];

/** `asked` is called when an explanation is asked for: the window must then stay. */
export function whyCard(api: Api, asked: () => void): Why {
  let shown: Shown | null = null;
  const hint = el("p", { class: "soft small" }, "Which feature moved the probability, and by how much. Only for an answer whose window is kept: the last one of its pair and timeframe.");
  const button = el("button", { type: "button", class: "main", click: () => void ask() }, "Why?");
  const background = el("select", { "aria-label": "Compared with" }, ...BACKGROUNDS.map((each) => el("option", { value: each }, each === 1 ? "the reference window" : `${each} windows of training`)));
  const result = el("div", { class: "why-result" });
  const ask = async (): Promise<void> => {
    const of = shown;
    if (of === null) return;
    asked();
    button.disabled = true;
    fill(result, note("loading", "Explaining … With many windows this takes some seconds."));
    try {
      const body = { pair: of.pair, timeframe: of.timeframe, data: of.data, version: of.signal.version, background: Number(background.value) };
      const answer = (await api.post("/reversal/explain", body)) as Schemas["ExplainedPrediction"];
      if (of === shown) fill(result, ...explained(answer, of));
    } catch (error) {
      if (of === shown) fill(result, note("error", `It cannot be explained: ${(error as Error).message}`));
    } finally {
      button.disabled = false;
    }
  };
  const element = card("Why this signal", el("div", { class: "why-ask" }, button, el("span", { class: "soft" }, "compared with"), background, hint), result);
  element.classList.add("wide");
  return {
    element,
    draw: (found) => {
      shown = found;
      fill(result);
    },
  };
}

function explained({ explanation, signal, model_version }: Schemas["ExplainedPrediction"], of: Shown): HTMLElement[] {
  const { stage1, stage2, background } = explanation;
  const compared = background === 1 ? "the reference window" : `${background} windows of training`;
  const stages = el("div", { class: "pair" });
  const sentence = el("p", {}, `${of.pair} ${of.timeframe}, ${signal} by ${model_version}, compared with ${compared}. This window stays until you choose Follow again.`);
  stages.append(stageOf("Stage 1: is it a reversal?", stage1, of.signal.threshold, `threshold ${probability(of.signal.threshold)}`));
  if (stage2) {
    const title = `Stage 2: is it ${stage2.probability_of}?`;
    stages.append(stageOf(stage2.used ? title : `${title} (not used for this signal)`, stage2, 0.5, "even 0.500"));
  }
  return [sentence, stages];
}

function stageOf(title: string, stage: Stage, mark: number, marked: string): HTMLElement {
  const found = bars(stage);
  const [low, high] = range(found, [mark, stage.base_value, stage.value]);
  const at = (value: number): number => (100 * (value - low)) / (high - low);
  const errors = Object.values(stage.standard_errors ?? {});
  const rows = found.map((bar) => rowOf(bar, at, at(mark)));
  return el(
    "section",
    { class: "stage" },
    el("h3", {}, title),
    el("p", { class: "soft small" }, `From ${probability(stage.base_value)} to ${probability(stage.value)}. The line is ${marked}.`),
    el(
      "table",
      { class: "shapley" },
      el("caption", { class: "hidden" }, `${title} By how much each feature moved the probability, the largest first`),
      el("colgroup", {}, el("col", { class: "shapley-name" }), el("col", {}), el("col", { class: "shapley-effect" })),
      el("thead", { class: "hidden" }, el("tr", {}, ...["Feature", "From and to", "Moved by"].map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, ...rows),
    ),
    errors.length === 0 ? null : el("p", { class: "soft small" }, `Estimated by sampling: standard errors up to ${fixed(Math.max(...errors), 3)}.`),
  );
}

function rowOf({ feature, effect, from, to, features }: Bar, at: (value: number) => number, mark: number): HTMLTableRowElement {
  const kind = effect >= 0 ? "plus" : "minus";
  const bar = el("span", { class: `shapley-bar ${kind}` });
  bar.style.left = `${at(Math.min(from, to))}%`;
  bar.style.width = `${Math.max(0.4, Math.abs(at(to) - at(from)))}%`;
  const line = el("span", { class: "shapley-mark" });
  line.style.left = `${mark}%`;
  const track = el("div", { class: "shapley-track", "aria-hidden": "true" }, bar, line);
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, feature ?? `${features} others`),
    el("td", { title: `${probability(from)} → ${probability(to)}` }, track, el("span", { class: "hidden" }, `${probability(from)} to ${probability(to)}`)),
    el("td", { class: `number ${kind}` }, `${effect >= 0 ? "+" : ""}${fixed(effect, 3)}`),
  );
}
