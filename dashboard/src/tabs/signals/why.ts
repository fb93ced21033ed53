/** Why a signal was given: the Shapley value of each feature, from the base value to the probability. */
import type { Api } from "../../api.ts";
import type { KeptWindow, Schemas } from "../../contract.ts";
import { card, el, fill, note } from "../../dom.ts";
import { stagesExplained } from "../../parts/explanation.ts";

export type Shown = NonNullable<KeptWindow["window"]>;
type Why = { element: HTMLElement; draw: (shown: Shown) => void };

const BACKGROUNDS = [1, 10, 50];

/** `asked` is called when an explanation is asked for: the window must then stay. */
export function whyCard(api: Api, asked: () => void): Why {
  let shown: Shown | null = null;
  const hint = el(
    "p",
    { class: "soft small" },
    "Which feature moved the probability, and by how much. Only for an answer whose window is kept: the last one of its pair and timeframe.",
  );
  const button = el("button", { type: "button", class: "main", click: () => void ask() }, "Why?");
  const background = el(
    "select",
    { "aria-label": "Compared with" },
    ...BACKGROUNDS.map((each) =>
      el("option", { value: each }, each === 1 ? "the reference window" : `${each} windows of training`),
    ),
  );
  const result = el("div", { class: "why-result" });
  const ask = async (): Promise<void> => {
    const of = shown;
    if (of === null) return;
    asked();
    button.disabled = true;
    fill(result, note("loading", "Explaining … With many windows this takes some seconds."));
    try {
      const body = {
        pair: of.pair,
        timeframe: of.timeframe,
        data: of.data,
        version: of.signal.version,
        background: Number(background.value),
      };
      const answer = (await api.post("/reversal/explain", body)) as Schemas["ExplainedPrediction"];
      if (of === shown) fill(result, ...explained(answer, of));
    } catch (error) {
      if (of === shown) fill(result, note("error", `It cannot be explained: ${(error as Error).message}`));
    } finally {
      button.disabled = false;
    }
  };
  const element = card(
    "Why this signal",
    el("div", { class: "why-ask" }, button, el("span", { class: "soft" }, "compared with"), background, hint),
    result,
  );
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
  const { background } = explanation;
  const compared = background === 1 ? "the reference window" : `${background} windows of training`;
  const sentence = el(
    "p",
    {},
    `${of.pair} ${of.timeframe}, ${signal} by ${model_version}, compared with ${compared}. This window stays until you choose Follow again.`,
  );
  return [sentence, stagesExplained(explanation, of.signal.threshold)];
}
