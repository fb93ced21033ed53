/** The tab "Now": is the server healthy, how much does it answer, and how fast. */
import { overTime } from "../charts/over_time.ts";
import { Plot } from "../charts/plot.ts";
import type { Now } from "../contract.ts";
import { card, el, fill, note, say, table } from "../dom.ts";
import { numberOf } from "../figures/codes.ts";
import { answersOf, nameOf, type Spans, spansOf } from "../figures/points.ts";
import { approximately, fewestFor, quantile } from "../figures/quantile.ts";
import { timesOf } from "../figures/series.ts";
import { count, NONE, percent, rate } from "../format.ts";
import { drawing } from "./drawing.ts";
import { codesTable } from "./now/codes.ts";
import { factsOf, replicaRows } from "./now/facts.ts";
import { history } from "./now/history.ts";
import { tile } from "./now/tile.ts";
import { staleNote } from "./stale.ts";
import type { Page, Tab } from "./tab.ts";

/** The answer's time that is promised for the 99th percentile, in seconds. */
export const PROMISED = 0.5;
const SHARES = [0.5, 0.95, 0.99];

export function nowTab(page: Page): Tab {
  const { live } = page;
  const waiting = note("loading", "Waiting for the first figures of the server …");
  const stale = staleNote(live);
  const state = el("section", { class: "card state", "aria-label": "State" });
  const spark = new Plot({
    label: "Answers a second in the last two minutes",
    height: 44,
    lines: [{ label: "Answers", colour: "--series-1", area: 0.14, text: rate }],
    ...overTime(2),
  });
  const answers = tile("Answers", spark.element);
  const latency = latencyTile();
  const troubleSpark = new Plot({
    label: "Refusals and errors a second in the last two minutes",
    height: 44,
    lines: [
      { label: "Refusals", colour: "--warn", dash: [6, 4], text: rate },
      { label: "Errors", colour: "--bad", area: 0.2, text: rate },
    ],
    ...overTime(2),
  });
  const trouble = tile("Errors", troubleSpark.element);
  const fallbacks = tile("Fallbacks");
  const past = history();
  const codes = codesTable();
  const facts = el("dl", { class: "facts" });
  const replicas = el("div", {});
  const body = el(
    "div",
    { hidden: true },
    state,
    el("div", { class: "tiles" }, answers.element, latency.element, trouble.element, fallbacks.element),
    past.element,
    el("div", { class: "split" }, codes.element, el("div", {}, card("This server", facts), card("Replicas", replicas))),
  );
  const panel = el("section", {}, waiting, stale.element, body);

  const draw = (): void => {
    const { now } = live;
    waiting.hidden = now !== null;
    body.hidden = now === null;
    if (now === null) return;
    stale.draw();
    const spans = spansOf(live.minutes, live.recent);
    drawState(state, now);
    drawAnswers(spans);
    latency.draw(spans, live.bounds);
    drawTrouble(spans);
    spark.draw(timesOf(live.recent), [live.recent.map((point) => answersOf(point) / point.seconds)], "");
    const perSecond = (kind: "refusal" | "error"): number[] =>
      live.recent.map((point) => numberOf(kind, point) / point.seconds);
    troubleSpark.draw(timesOf(live.recent), [perSecond("refusal"), perSecond("error")], "");
    past.draw(live.minutes, live.recent, live.bounds);
    codes.draw(spans.minute, spans.hour);
    factsOf(facts, now, spans);
    replicaRows(replicas, now);
  };

  const drawAnswers = ({ minute, hourBefore, hour }: Spans): void => {
    answers.say(minute.seconds === 0 ? NONE : rate(answersOf(minute) / minute.seconds), nameOf(minute));
    const before = hourBefore.seconds === 0 ? "not known yet" : rate(answersOf(hourBefore) / hourBefore.seconds);
    answers.more(`The hour before: ${before} · ${count(answersOf(hour))} answers in the last hour`);
  };

  const drawTrouble = ({ minute, hour }: Spans): void => {
    const errors = numberOf("error", minute);
    trouble.say(count(errors), nameOf(minute), errors > 0 ? "bad" : "");
    const of = (kind: "refusal" | "warning"): string => count(numberOf(kind, minute));
    trouble.more(
      `Last hour: ${count(numberOf("error", hour))} errors`,
      `Refusals: ${of("refusal")} · hour ${count(numberOf("refusal", hour))}`,
      `Warnings: ${of("warning")} · hour ${count(numberOf("warning", hour))}`,
    );
    fallbacks.say(count(minute.fallbacks), nameOf(minute), minute.fallbacks > 0 ? "warn" : "");
    const total = answersOf(hour);
    fallbacks.more(
      "Another version answered in place of one that failed.",
      `Last hour: ${count(hour.fallbacks)}${total === 0 ? "" : ` of ${count(total)} answers (${percent(hour.fallbacks / total)})`}`,
      `Given up by their clients: ${count(minute.abandoned)} · hour ${count(hour.abandoned)}`,
    );
  };

  return { id: "now", title: "Now", panel, ...drawing(live, draw) };
}

/** Readiness, the active version, and what is wrong, in words. It is written anew only when something of it changed. */
function drawState(state: HTMLElement, now: Now): void {
  const key = JSON.stringify([now.ready, now.healthy, now.problems, now.active_version]);
  if (state.dataset["key"] === key) return;
  state.dataset["key"] = key;
  const kind = !now.ready ? "bad" : now.healthy && now.problems.length === 0 ? "good" : "warn";
  const word = { bad: "Not ready", good: "Ready", warn: "Ready, with problems" }[kind];
  const meaning = {
    bad: "Load balancers send no requests here.",
    good: "Predictions are answered, and nothing is wrong.",
    warn: "Predictions are answered, but something needs attention.",
  }[kind];
  state.dataset["kind"] = kind;
  fill(
    state,
    el(
      "div",
      { class: "state-line" },
      el(
        "p",
        { class: `state-word ${kind}`, role: "status" },
        el("span", { class: "state-mark", "aria-hidden": "true" }, kind === "good" ? "✓" : "!"),
        word,
      ),
      el("p", { class: "soft" }, meaning),
      el(
        "p",
        { class: "state-version" },
        el("span", { class: "soft" }, "Active version "),
        el("strong", {}, now.active_version ?? "none"),
      ),
    ),
    now.problems.length === 0
      ? null
      : el(
          "ul",
          { class: "problems" },
          ...now.problems.map(({ code, text }) => el("li", {}, el("code", {}, code), " ", text)),
        ),
  );
}

/** The quantiles of the last minute beside those of the hour before. */
function latencyTile(): { element: HTMLElement; draw: (spans: Spans, bounds: number[]) => void } {
  const cells = SHARES.map(() => [el("td", { class: "number strong" }), el("td", { class: "number" })] as const);
  const rows = SHARES.map((share, index) =>
    el("tr", {}, el("th", { scope: "row" }, `p${share * 100}`), ...(cells[index] ?? [])),
  );
  const verdict = el("p", { class: "tile-more" });
  const heads = ["Quantile", "Last minute", "Hour before"].map((text) =>
    el("th", { scope: "col", class: text === "Quantile" ? "" : "number" }, text),
  );
  const element = card("Time to answer", table("Time to answer: quantiles", heads, rows), verdict);
  element.classList.add("tile");
  return {
    element,
    draw: ({ minute, hourBefore }, bounds) => {
      for (const [index, share] of SHARES.entries()) {
        for (const [column, span] of [minute, hourBefore].entries()) {
          const cell = cells[index]?.[column] as HTMLElement;
          const estimate = quantile(share, bounds, span.latency);
          say(cell, estimate === null ? "too few" : approximately(estimate));
          cell.classList.toggle("soft", estimate === null);
          cell.title =
            estimate === null
              ? `At least ${fewestFor(share)} answers are needed`
              : "Estimated from the buckets of a histogram";
        }
      }
      const ofMinute = quantile(0.99, bounds, minute.latency);
      const p99 = ofMinute ?? quantile(0.99, bounds, hourBefore.latency);
      const when = ofMinute === null ? " (the hour before)" : "";
      const kept =
        p99 === null ? null : p99.high <= PROMISED ? true : p99.low >= PROMISED ? false : p99.value <= PROMISED;
      verdict.className = `tile-more ${kept === false ? "bad" : ""}`;
      say(
        verdict,
        kept === null
          ? `Promised: p99 of at most 500 ms. A p99 needs ${fewestFor(0.99)} answers.`
          : kept
            ? `✓ Keeps the promise: p99 of at most 500 ms${when}.`
            : `! Breaks the promise: p99 of at most 500 ms${when}.`,
      );
    },
  };
}
