/** All experiments: the one that runs, then the others, newest first. */
import type { Schemas } from "../contract.ts";
import { card, el, fill, note } from "../dom.ts";
import { redraw } from "../parts/redraw.ts";
import { reason, sentence, time } from "../parts/shown.ts";
import type { Page } from "../tabs/tab.ts";
import { division, MODES, tone } from "./words.ts";

// A report is computed by the server on request: the list asks for those of the newest experiments only.
const VERDICTS = 10;

export type List = { element: HTMLElement; refresh: () => Promise<void> };
type Experiment = Schemas["Experiment"];

/** The badge of an experiment's status. */
export function statusBadge(status: Schemas["Status"]): HTMLElement {
  return el("span", { class: `badge ${{ active: "good", draft: "soft", stopped: "" }[status]}` }, status);
}

/** The badge of a verdict's word. */
export function verdictBadge(word: string): HTMLElement {
  return el("span", { class: `badge ${tone(word)}` }, word);
}

/** The part. */
export function listPart(page: Page): List {
  const problem = el("div", {});
  const body = el("div", {}, note("loading", "Loading the experiments …"));
  const verdicts = new Map<string, { word: string; final: boolean }>();
  let experiments: Experiment[] | null = null;
  let asking = 0;

  async function refresh(): Promise<void> {
    try {
      const found = ((await page.api.get("/reversal/experiments")) as Schemas["Experiments"]).experiments.toReversed();
      experiments = [...found.filter((each) => each.active), ...found.filter((each) => !each.active)];
      fill(problem);
    } catch (error) {
      const again = el("button", { type: "button", click: () => void refresh() }, "Try again");
      fill(problem, note("error", `The experiments cannot be read: ${sentence(reason(error))} `, again));
      if (experiments === null) fill(body);
      return;
    }
    draw();
    await judge(experiments);
  }

  /** Fetch the verdicts, one after the other. */
  async function judge(found: Experiment[]): Promise<void> {
    asking += 1;
    const round = asking;
    for (const { experiment_id: id, status } of found.filter((each) => each.status !== "draft").slice(0, VERDICTS)) {
      if (verdicts.get(id)?.final === true) continue;
      try {
        const report = (await page.api.get(`/reversal/experiments/${encodeURIComponent(id)}/report`)) as Schemas["Report"];
        verdicts.set(id, { word: report.verdict.word, final: status === "stopped" && report.verdict.word !== "not yet" });
      } catch {
        verdicts.delete(id); // the detail says why
      }
      if (round !== asking) return;
      draw();
    }
  }

  function draw(): void {
    if (experiments === null) return;
    if (experiments.length === 0) {
      redraw(body, note("empty", "There are no experiments yet. Find out below how long one would take, and create it."));
      return;
    }
    const heads = ["Experiment", "Status", "Verdict", "Versions", "Mode", "Since"].map((name) => el("th", { scope: "col", class: name === "Mode" || name === "Since" ? "optional" : "" }, name));
    const table = el(
      "table",
      { class: "experiments" },
      el("caption", { class: "hidden" }, "Experiments: the one that runs, then the others, newest first"),
      el("thead", {}, el("tr", {}, ...heads)),
      el("tbody", {}, ...experiments.map(row)),
    );
    redraw(body, el("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "All experiments" }, table));
  }

  function row(each: Experiment): HTMLTableRowElement {
    const id = each.experiment_id;
    const word = verdicts.get(id)?.word;
    const since = each.activated_at ?? each.created_at;
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, el("a", { href: `#experiments/${encodeURIComponent(id)}`, "data-key": `open-${id}` }, each.name), el("div", { class: "soft small" }, id)),
      el("td", {}, statusBadge(each.status)),
      el("td", {}, word === undefined ? "–" : verdictBadge(word)),
      el("td", { title: division(each) }, `${each.variant_a} → ${each.variant_b}`),
      el("td", { class: "optional" }, MODES[each.mode], each.mode === "shadow" ? null : el("div", { class: "soft small" }, `A: ${Number((each.traffic_split * 100).toFixed(2))} %`)),
      el("td", { class: "optional" }, each.activated_at === null ? "created " : "", time(since)),
    );
  }

  return { element: card("Experiments", problem, body), refresh };
}
