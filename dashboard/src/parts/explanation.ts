/** The Shapley values of an answer as bars: for each stage from its base value to its probability. */
import type { Schemas } from "../contract.ts";
import { el } from "../dom.ts";
import { type Bar, bars, range } from "../figures/explanation.ts";
import { fixed, probability } from "../format.ts";

type Explanation = Schemas["Explanation"];
type Stage = Explanation["stage1"] | NonNullable<Explanation["stage2"]>;

/** Both stages beside each other. `threshold`: of Stage 1. */
export function stagesExplained({ stage1, stage2 }: Explanation, threshold: number): HTMLElement {
  const stages = el("div", { class: "pair" });
  stages.append(stageOf("Stage 1: is it a reversal?", stage1, threshold, `threshold ${probability(threshold)}`));
  if (stage2) {
    const title = `Stage 2: is it ${stage2.probability_of}?`;
    stages.append(stageOf(stage2.used ? title : `${title} (not used for this signal)`, stage2, 0.5, "even 0.500"));
  }
  return stages;
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
    el(
      "p",
      { class: "soft small" },
      `From ${probability(stage.base_value)} to ${probability(stage.value)}. The line is ${marked}.`,
    ),
    el(
      "table",
      { class: "shapley" },
      el("caption", { class: "hidden" }, `${title} By how much each feature moved the probability, the largest first`),
      el("colgroup", {}, el("col", { class: "shapley-name" }), el("col", {}), el("col", { class: "shapley-effect" })),
      el(
        "thead",
        { class: "hidden" },
        el("tr", {}, ...["Feature", "From and to", "Moved by"].map((head) => el("th", { scope: "col" }, head))),
      ),
      el("tbody", {}, ...rows),
    ),
    errors.length === 0
      ? null
      : el(
          "p",
          { class: "soft small" },
          `Estimated by sampling: standard errors up to ${fixed(Math.max(...errors), 3)}.`,
        ),
  );
}

function rowOf(
  { feature, effect, from, to, features }: Bar,
  at: (value: number) => number,
  mark: number,
): HTMLTableRowElement {
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
    el(
      "td",
      { title: `${probability(from)} → ${probability(to)}` },
      track,
      el("span", { class: "hidden" }, `${probability(from)} to ${probability(to)}`),
    ),
    el("td", { class: `number ${kind}` }, `${effect >= 0 ? "+" : ""}${fixed(effect, 3)}`),
  );
}
