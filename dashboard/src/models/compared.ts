/** What versions said about the same candles. */
import type { Schemas } from "../contract.ts";
import { el, fill, note, table } from "../dom.ts";
import { probability } from "../format.ts";
import { reason, row, sentence, signalWord, time } from "../parts/shown.ts";
import type { Page } from "../tabs/tab.ts";
import { stagesExplained } from "../parts/explanation.ts";

type Answer = Schemas["Comparison"]["predictions"][string];

/** Whether the versions agree, in words. */
export function agreement({ predictions, consensus, disagreement }: Schemas["Comparison"]): string {
  const answers = Object.entries(predictions);
  const failed = answers.filter(([, answer]) => "error" in answer).map(([version]) => version);
  const beside = failed.length === 0 ? "" : ` ${failed.join(" and ")} could not answer.`;
  const said = answers.flatMap(([version, answer]) => ("error" in answer ? [] : [[version, answer.signal] as const]));
  if (said.length === 1) return `Only ${said[0]?.[0]} answers: ${said[0]?.[1]}.${beside}`;
  if (consensus !== null) return `All ${said.length} versions say ${consensus}.`;
  if (!disagreement) return `The versions that answered agree: ${said[0]?.[1]}.${beside}`;
  const parts = said.map(([version, signal]) => `${version} says ${signal}`);
  return `The versions disagree: ${parts.join(", ")}.${beside}`;
}

/** The answers as a table, with an explanation on request. `body`: what was asked, without versions. */
export function comparisonShown(page: Page, found: Schemas["Comparison"], models: Schemas["Models"] | null, body: object): HTMLElement {
  const why = el("div", { "aria-live": "polite" });
  const answers = Object.entries(found.predictions);

  async function explain(version: string): Promise<void> {
    fill(why, note("loading", `Explaining ${version} …`));
    try {
      const explained = (await page.api.post("/reversal/explain", { ...body, version })) as Schemas["ExplainedPrediction"];
      fill(why, el("h3", {}, `Why ${version} says ${explained.signal}`), stagesExplained(explained.explanation, models?.versions[version]?.threshold ?? 0.5));
    } catch (error) {
      fill(why, note("error", `${version} cannot be explained: ${sentence(reason(error))}`));
    }
  }

  const rows = answers.map(([version, answer]) => {
    const threshold = models?.versions[version]?.threshold;
    if ("error" in answer) {
      return el("tr", {}, el("th", { scope: "row" }, version), el("td", { colspan: 6, class: "bad" }, sentence(answer.error)));
    }
    const of = answer.factors.direction === null ? "" : ` ${answer.factors.direction}`;
    return row(
      version,
      [
        signalWord(answer.signal),
        probability(answer.confidence),
        probability(answer.stage1_prob),
        threshold === undefined ? "–" : `${answer.stage1_prob >= threshold ? "≥" : "<"} ${threshold}`,
        probability(answer.stage2_prob) + of,
        el("button", { type: "button", "aria-label": `Why does ${version} say ${answer.signal}?`, click: () => void explain(version) }, "Why?"),
      ],
    );
  });
  const heads = [
    el("th", { scope: "col" }, "Version"),
    ...["Signal", "Confidence", "Stage 1", "Threshold", "Stage 2", ""].map((name) => el("th", { scope: "col", class: "number" }, name === "" ? el("span", { class: "hidden" }, "Explanation") : name)),
  ];
  return el(
    "div",
    {},
    el("p", { class: `verdict-sentence ${found.consensus ?? ""}`, role: "status" }, agreement(found)),
    about(found, answers),
    el("div", { class: "compared" }, table("Answers of the versions", heads, rows)),
    warnings(answers),
    why,
  );
}

function about(found: Schemas["Comparison"], answers: [string, Answer][]): HTMLElement {
  const at = answers.flatMap(([, answer]) => ("error" in answer || answer.candle_time === undefined ? [] : [answer.candle_time]))[0];
  return el("p", { class: "soft" }, `${found.pair} ${found.timeframe}`, ...(at === undefined ? [", last candle without a time"] : [", last candle opened ", time(at)]));
}

function warnings(answers: [string, Answer][]): HTMLElement | null {
  const found = new Map<string, string[]>();
  for (const [version, answer] of answers) {
    if ("error" in answer) continue;
    for (const each of answer.warnings ?? []) found.set(`${each.code}: ${each.message}`, [...(found.get(`${each.code}: ${each.message}`) ?? []), version]);
  }
  if (found.size === 0) return null;
  return el("ul", { class: "warnings" }, ...[...found].map(([text, versions]) => el("li", { class: "warn" }, `${versions.join(", ")}: ${sentence(text)}`)));
}
