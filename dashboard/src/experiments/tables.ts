/** The tables of a report. */
import type { Schemas } from "../contract.ts";
import { el, table } from "../dom.ts";
import { count, percent } from "../format.ts";
import { heads, row, time } from "../parts/shown.ts";
import { interval, KINDS, value, whole, type Kind } from "./quantity.ts";
import type { Report } from "./words.ts";

type Variant = Schemas["ReportedVariant"];
const SIGNALS = ["long", "short", "hold"] as const;

/** What each variant answered. */
export function counts(report: Report): HTMLElement {
  const { A, B } = report.variants;
  const shadow = report.mode === "shadow";
  const line = (name: string, of: (variant: Variant) => string | HTMLElement): HTMLTableRowElement => row(name, [of(A), of(B)]);
  const mix = (name: (typeof SIGNALS)[number]): HTMLTableRowElement =>
    line(`… ${name}`, ({ signals, predictions }) => 
      predictions === 0 ? "–" : el("span", {}, count(signals[name]), el("span", { class: "under" }, percent(signals[name] / predictions, 0))),
    );
  const rows = [
    line("Predictions", (of) => count(of.predictions)),
    ...SIGNALS.map(mix),
    ...(shadow ? [] : [line("Users", (of) => count(of.unique_users))]),
    line("Candles", (of) => count(of.unique_candles)),
    line("With an outcome", (of) => count(of.outcomes_joined)),
    line("Labelled", (of) => count(of.labelled_candles)),
    line("Fallbacks", (of) => count(of.fallbacks)),
    line("Failures", (of) => count(of.failures)),
    line("Refused", (of) => count(of.refused)),
    line("Unrecorded", (of) => count(of.unrecorded)),
    line("Late outcomes", (of) => count(of.late)),
  ];
  for (const code of new Set([...Object.keys(A.warnings), ...Object.keys(B.warnings)])) {
    rows.push(line(`Warning ${code}`, (of) => count(of.warnings[code]?.predictions ?? 0)));
  }
  return table("Counts by variant", heads("Count", `A: ${A.model_version}`, `B: ${B.model_version}`), rows);
}

const MEASURES: [string, Kind, (variant: Variant) => Schemas["Estimate"], ((report: Report) => Schemas["Difference"]) | null][] = [
  ["Win rate", "rate", (of) => of.win_rate, (report) => report.differences.win_rate],
  ["P&L per trade", "pips", (of) => of.mean_pnl, (report) => report.differences.mean_pnl],
  ["P&L per candle", "pips", (of) => of.pnl_per_candle, (report) => report.differences.pnl_per_candle],
  ["Share of hold", "rate", (of) => of.hold_rate, (report) => report.differences.hold_rate],
  ["Confidence", "rate", (of) => of.confidence, (report) => report.differences.confidence],
  ["Precision by labels", "rate", (of) => of.precision, null],
  ["Recall by labels", "rate", (of) => of.recall, null],
  ["Sharpe of candles", "plain", (of) => of.sharpe, null],
];

/** A number over its interval. */
export function stacked(estimate: Schemas["Estimate"], kind: Kind, difference = false): HTMLElement {
  const ends = interval(estimate, kind, difference);
  const early = ends !== "" && !estimate.valid;
  return el("span", {}, value(estimate, kind, difference), ends === "" ? null : el("span", { class: "under" }, ends), early ? el("span", { class: "under warn" }, "not yet valid") : null);
}

/** All measures of both versions. */
export function measures(report: Report): HTMLElement {
  const { A, B } = report.variants;
  const rows = MEASURES.map(([name, kind, of, difference]) =>
    row(name, [stacked(of(A), kind), stacked(of(B), kind), difference === null ? "" : stacked(difference(report), kind, true)]),
  );
  return table("Measures of both versions", heads("Measure", "A", "B", "B − A"), rows);
}

/** The metric by pair and timeframe. */
export function byPair({ breakdown, metric }: Report): HTMLElement {
  const kind = KINDS[metric];
  const rows = breakdown.places.map((place) =>
    row(`${place.pair} ${place.timeframe}`, [count(place.candles), stacked(place.A, kind), stacked(place.B, kind), stacked(place.difference, kind, true)]),
  );
  return table("By pair and timeframe, exploratory", heads("Pair", "Candles", "A", "B", "B − A"), rows);
}

/** How often the signals of both versions went together. The diagonal is agreement. */
export function pairsTable(pairs: Schemas["Pairs"], a: string, b: string): HTMLElement {
  const cell = (of: (typeof SIGNALS)[number], other: (typeof SIGNALS)[number]): HTMLElement => {
    const number = pairs.table[of][other];
    const share = pairs.candles === 0 ? 0 : number / pairs.candles;
    // Eight steps of shade, because a style attribute is against the page's security policy.
    const shade = Math.min(8, Math.ceil(share * 16));
    return el("td", { class: `number shade-${shade}${of === other ? " same" : ""}` }, count(number), el("span", { class: "under" }, percent(share, 1)));
  };
  const head = el("tr", {}, el("th", { scope: "col" }, `${a} ↓  ${b} →`), ...SIGNALS.map((name) => el("th", { scope: "col", class: `number ${name}` }, name)));
  const rows = SIGNALS.map((of) => el("tr", {}, el("th", { scope: "row", class: of }, of), ...SIGNALS.map((other) => cell(of, other))));
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Signals of both versions" },
    el("table", { class: "pairs" }, el("caption", { class: "hidden" }, `Rows: signals of ${a}. Columns: signals of ${b}.`), el("thead", {}, head), el("tbody", {}, ...rows)),
  );
}

/** The looks of a history, newest first. */
export function looks({ history, metric }: Report): HTMLElement {
  const rows = history.toReversed().map((look) => row(time(look.at), [whole(look, KINDS[metric], true), count(look.candles), look.word]));
  return table("The difference at each look", heads("Time", "B − A", "Candle times", "Verdict"), rows);
}
