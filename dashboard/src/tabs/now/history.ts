/** Answers and their time over the last two minutes or two hours. */
import { overTime } from "../../charts/over_time.ts";
import { Plot } from "../../charts/plot.ts";
import type { Point } from "../../contract.ts";
import { card, el } from "../../dom.ts";
import { numberOf } from "../../figures/codes.ts";
import { answersOf, sumOf } from "../../figures/points.ts";
import { approximatelyWithin, quantile } from "../../figures/quantile.ts";
import { grouped, timesOf } from "../../figures/series.ts";
import { duration, rate, significant } from "../../format.ts";

type Span = "minutes" | "hours";
// Two seconds seldom have enough answers for a quantile.
const GROUP_SECONDS = 10;
const HEIGHT = 210;
// A server that has just started has too few minutes for a line.
const FEW_MINUTES = 5;

type History = { element: HTMLElement; draw: (minutes: Point[], recent: Point[], bounds: number[]) => void };

export function history(): History {
  let span: Span = "hours";
  let chosenByHand = false;
  let drawn: Point[] | null = null;
  let last: Parameters<History["draw"]> | null = null;
  const said = (value: number): string => approximatelyWithin(value, last?.[2] ?? []);
  const traffic = { hours: trafficPlot(60), minutes: trafficPlot(2) };
  const latency = { hours: latencyPlot(60, said), minutes: latencyPlot(2, said) };
  const buttons = (["minutes", "hours"] as const).map((each) =>
    el(
      "button",
      { type: "button", "aria-pressed": String(each === span), click: () => byHand(each) },
      each === "hours" ? "2 hours" : "2 minutes",
    ),
  );
  const byHand = (chosen: Span): void => {
    chosenByHand = true;
    choose(chosen);
  };
  const choose = (chosen: Span): void => {
    span = chosen;
    for (const [index, each] of (["minutes", "hours"] as const).entries()) {
      buttons[index]?.setAttribute("aria-pressed", String(each === span));
      traffic[each].element.hidden = latency[each].element.hidden = each !== span;
    }
    if (last !== null) draw(...last);
  };
  const draw: History["draw"] = (minutes, recent, bounds) => {
    const first = last === null;
    last = [minutes, recent, bounds];
    if (first && !chosenByHand && minutes.length < FEW_MINUTES) return choose("minutes");
    const points = span === "hours" ? minutes : recent;
    // A new point makes a new list, and minutes are added only once a minute.
    if (points === drawn) return;
    drawn = points;
    const empty =
      span === "hours" ? "The first full minute is not over yet." : "No figures of the last two minutes yet.";
    const perSecond = (of: (point: Point) => number): number[] => points.map((point) => of(point) / point.seconds);
    traffic[span].draw(
      timesOf(points),
      [
        perSecond(answersOf),
        perSecond((point) => numberOf("refusal", point)),
        perSecond((point) => numberOf("error", point)),
      ],
      empty,
    );
    const spans = span === "hours" ? points : grouped(points, GROUP_SECONDS).map(sumOf);
    const quantiles = [0.5, 0.95, 0.99].map((share) =>
      spans.map((point) => quantile(share, bounds, point.latency)?.value ?? null),
    );
    latency[span].draw(timesOf(spans), quantiles, points.length === 0 ? empty : "Too few answers for quantiles.");
  };
  const choice = el("div", { class: "choice", role: "group", "aria-label": "Span of the charts" }, ...buttons);
  const element = el(
    "div",
    { class: "history" },
    choice,
    el(
      "div",
      { class: "pair" },
      card("Answers over time", traffic.hours.element, traffic.minutes.element),
      card("Time to answer over time", latency.hours.element, latency.minutes.element),
    ),
  );
  choose(span);
  return { element, draw };
}

function trafficPlot(step: number): Plot {
  return new Plot({
    label: `Answers, refusals and errors a second over the last ${step === 60 ? "two hours" : "two minutes"}`,
    height: HEIGHT,
    axis: (value) => significant(value, 3),
    lines: [
      { label: "Answers", colour: "--series-1", area: 0.12, text: rate },
      { label: "Refusals", colour: "--warn", dash: [6, 4], text: rate },
      { label: "Errors", colour: "--bad", dash: [2, 3], text: rate },
    ],
    ...overTime(step),
  });
}

function latencyPlot(step: number, text: (value: number) => string): Plot {
  return new Plot({
    label: `Estimated quantiles of the time to answer over the last ${step === 60 ? "two hours" : "two minutes"}, on a logarithmic scale`,
    height: HEIGHT,
    axis: duration,
    log: true,
    lines: [
      { label: "p50", colour: "--series-1", text },
      { label: "p95", colour: "--series-2", dash: [6, 4], text },
      { label: "p99", colour: "--series-4", dash: [2, 3], text },
    ],
    ...overTime(step),
  });
}
