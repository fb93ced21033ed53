/** One experiment: its verdict first, then the numbers behind it. */
import { Failure } from "../api.ts";
import type { Schemas } from "../contract.ts";
import { card, el, fill, note } from "../dom.ts";
import { redraw } from "../parts/redraw.ts";
import { adminNeeded, facts, reason, sentence, time } from "../parts/shown.ts";
import type { Page } from "../tabs/tab.ts";
import { change, type Done } from "./actions.ts";
import { filesPart } from "./files.ts";
import { historyPart } from "./history.ts";
import { statusBadge, verdictBadge } from "./list.ts";
import { notesPart } from "./notes.ts";
import { effect, interval, KINDS, value } from "./quantity.ts";
import { byPair, counts, measures, pairsTable } from "./tables.ts";
import { advice, beside, division, guardrails, main, METRICS, MODES, question, reporting, sampleRatio, tone, type Report } from "./words.ts";

const REFRESH_MS = 10_000;
// The server computes each report anew: a page asks for at most a twentieth of one core's time.
const SHARE = 20;

export type Detail = { element: HTMLElement; open: (id: string, focus: boolean) => void; refresh: () => Promise<void>; close: () => void };

/** The view. Only what has changed is drawn again, so that a note that is being written stays. */
export function detailPart(page: Page): Detail {
  const problem = el("div", {});
  const head = el("div", {});
  const numbers = el("div", {});
  const behind = el("div", {});
  const setup = el("div", {});
  const history = historyPart();
  const notes = notesPart(page, () => void refresh());
  const files = filesPart(page, () => id);
  const parts = el("div", { class: "stack", hidden: true }, head, numbers, history.element, behind, el("div", { class: "grid" }, notes.element, files), setup);
  const element = el("div", { class: "detail" }, el("p", {}, el("a", { href: "#experiments" }, "← All experiments")), problem, parts);
  let id = "";
  let report: Report | null = null;
  let drawn = "";
  let last: Done | null = null;
  let timer = 0;
  let wantsFocus = false;

  /** Show an experiment. `focus`: the reader came here by a link, so that the keyboard goes on here. */
  function open(other: string, focus: boolean): void {
    wantsFocus = focus;
    if (other !== id) {
      id = other;
      report = null;
      drawn = "";
      last = null;
      parts.hidden = true;
      fill(problem, note("loading", `Loading ${id} …`));
    }
    again(0);
    void refresh();
  }

  /** Look again later. Counts and outcomes change all the time while it runs; the stream only tells of its start and end. */
  function again(took: number): void {
    clearTimeout(timer);
    timer = window.setTimeout(
      () => {
        if (report?.status === "active" && !document.hidden) void refresh();
        else again(0);
      },
      Math.max(REFRESH_MS, took * SHARE),
    );
  }

  async function refresh(): Promise<void> {
    const asked = id;
    const from = performance.now();
    if (asked === "") return;
    try {
      const found = (await page.api.get(`/reversal/experiments/${encodeURIComponent(asked)}/report`)) as Report;
      if (asked !== id) return;
      report = found;
      fill(problem);
      draw();
      if (wantsFocus) focusTitle();
      wantsFocus = false;
    } catch (error) {
      if (asked !== id) return;
      const unknown = error instanceof Failure && error.status === 404;
      const retry = el("button", { type: "button", click: () => void refresh() }, "Try again");
      const text = unknown ? `There is no experiment ${asked}.` : `${asked} cannot be read: ${sentence(reason(error))} `;
      fill(problem, note("error", text, unknown ? null : retry));
    }
    if (timer !== 0) again(performance.now() - from);
  }

  async function act(action: "activate" | "stop"): Promise<void> {
    if (report === null) return;
    const done = await change(page, action, report);
    if (done === null) return;
    last = done;
    drawn = "";
    await refresh();
    if (done.failed) draw();
    // The button that was pressed may be gone.
    if (document.activeElement === document.body) focusTitle();
  }

  function focusTitle(): void {
    head.querySelector<HTMLElement>(".detail-title")?.focus({ preventScroll: true });
  }

  function draw(): void {
    if (report === null) return;
    const now = JSON.stringify([report, last]);
    if (now === drawn) return;
    drawn = now;
    parts.hidden = false;
    redraw(head, el("div", {}, header(report), verdict(report)));
    redraw(numbers, report.status === "draft" ? null : threeNumbers(report));
    history.show(report);
    redraw(behind, report.status === "draft" ? null : details(report));
    notes.show(report.experiment_id, report.notes);
    files.hidden = report.status === "draft";
    redraw(setup, setUp(report));
  }

  function header(of: Report): HTMLElement {
    const looks = page.session().level !== "admin";
    const action = ({ draft: "activate", active: "stop", stopped: null } as const)[of.status];
    const label = action === "activate" ? "Activate" : "Stop";
    return el(
      "div",
      { class: "detail-head" },
      el("div", {}, el("h2", { class: "detail-title", tabindex: "-1", "data-key": "title" }, of.name, " ", statusBadge(of.status)), el("p", { class: "soft" }, question(of))),
      action === null
        ? null
        : el(
            "div",
            { class: "detail-action" },
            el("button", { type: "button", class: action === "activate" ? "main" : "", "data-key": "act", disabled: looks, click: () => void act(action) }, label),
            looks ? el("p", { class: "soft small" }, adminNeeded(page.session(), `${label.toLowerCase()} it`)) : null,
          ),
    );
  }

  function verdict(of: Report): HTMLElement {
    const { word, sentence: said } = of.verdict;
    const big = of.status === "draft" ? "It has not begun: nothing is counted yet." : sentence(said);
    return el(
      "section",
      { class: `card verdict ${of.status === "draft" ? "soft-edge" : `${tone(word)}-edge`}`, "aria-label": "Verdict" },
      of.status === "draft" ? null : verdictBadge(word),
      el("p", { class: "verdict-big", role: "status" }, big),
      el("p", {}, advice(of)),
      of.stop_reason === null ? null : el("p", { class: "soft" }, "Stopped", ...(of.stopped_at === null ? [] : [" on ", time(of.stopped_at)]), `: ${sentence(of.stop_reason)}`),
      last?.failed === true ? note("error", last.text) : null,
      last !== null && last.warnings.length > 0 ? el("ul", { class: "warnings" }, ...last.warnings.map((each) => el("li", { class: "warn" }, each))) : null,
    );
  }

  return {
    element,
    open,
    refresh,
    close: () => {
      clearTimeout(timer);
      timer = 0;
    },
  };
}

/** The metric of A, that of B, and their difference. */
function threeNumbers(report: Report): HTMLElement {
  const kind = KINDS[report.metric];
  const metric = METRICS[report.metric];
  const figure = (title: string, under: string, estimate: Schemas["Estimate"], difference = false): HTMLElement => {
    const ends = interval(estimate, kind, difference);
    return el(
      "section",
      { class: "card", "aria-label": title },
      el("h2", {}, title, " ", el("span", { class: "soft" }, under)),
      el("p", { class: "figure" }, value(estimate, kind, difference)),
      el("p", { class: "soft small" }, ends === "" ? "no interval yet" : `interval ${ends}`, `, from ${estimate.candles.toLocaleString("en-US")} candle times`),
      estimate.valid || estimate.estimate === null ? null : el("p", { class: "warn small" }, "Not yet valid: too few results, the interval can be too narrow."),
    );
  };
  return el(
    "div",
    { class: "grid three" },
    figure(`A: ${report.variant_a}`, metric, main(report, "A")),
    figure(`B: ${report.variant_b}`, metric, main(report, "B")),
    figure("B − A", `difference of ${metric}`, report.differences[report.metric], true),
  );
}

function details(report: Report): HTMLElement {
  const { pairs } = report;
  const limits = guardrails(report.guardrails);
  const ratio = sampleRatio(report);
  const reported = reporting(report);
  const { A, B } = report.variants;
  const refused = A.refused + B.refused;
  const checks = facts([
    ["Sample ratio", el("span", { class: ratio.tone === "soft" ? "" : ratio.tone }, ratio.text)],
    ["Reporting", el("span", { class: reported.tone === "soft" ? "" : reported.tone }, reported.text)],
    ["Refused", refused === 0 ? "No request was refused by one version alone." : el("span", { class: "warn" }, `${A.refused} by A's version alone, ${B.refused} by B's. Send the larger number of required candles.`)],
    ["Beside it", beside(report.beside)],
    ["Guardrails", limits.length === 0 ? "none" : el("ul", { class: "plain-list" }, ...limits.map((each) => el("li", {}, each)))],
    ["Results from", { reported: "reported outcomes", labels: "labels by later candles" }[main(report, "A").source ?? "reported"]],
  ]);
  const signals =
    pairs === null
      ? null
      : card(
          "Signals on the same candles",
          ...(pairs.candles === 0
            ? [note("empty", "Both versions have not scored the same candle yet.")]
            : [
                el("p", { class: "soft" }, `Of ${pairs.candles.toLocaleString("en-US")} candles, both say the same on ${value(pairs.agreement, "rate")}.`),
                pairsTable(pairs, report.variant_a, report.variant_b),
              ]),
        );
  const all = card("All measures", el("p", { class: "soft small" }, `The verdict is about ${METRICS[report.metric]} alone: of five differences, one looks decided by chance more often.`), measures(report));
  const places = card(
    "By pair and timeframe",
    el("p", { class: "soft small" }, "Exploratory: of many intervals some miss the true value, so no row decides anything."),
    report.breakdown.places.length === 0 ? note("empty", "No candle has a result yet.") : byPair(report),
  );
  return el("div", { class: "columns" }, el("div", { class: "stack" }, card("Checks", checks), card("Counts", counts(report))), el("div", { class: "stack" }, signals, all, places));
}

function setUp(report: Report): HTMLElement {
  const { digests } = report;
  return card(
    "Set-up",
    facts([
      ["Id", el("code", {}, report.experiment_id)],
      ["Mode", `${MODES[report.mode]}: ${division(report)}`],
      report.description === "" ? null : ["Description", report.description],
      report.owner === "" ? null : ["Owner", report.owner],
      ["Smallest difference", effect(report.minimum_effect, report.metric)],
      ["Created", time(report.created_at)],
      report.activated_at === null ? null : ["Activated", time(report.activated_at)],
      ["Stops", report.stop_at === null ? "when it is stopped" : time(report.stop_at)],
      digests === null ? null : ["Bundles", el("span", {}, ...Object.entries(digests).map(([variant, digest]) => el("code", { title: digest }, `${variant} ${digest.slice(0, 12)} `)))],
    ]),
  );
}
