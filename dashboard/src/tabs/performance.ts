/** The tab "Performance": where the time of a prediction goes. */
import { overTime } from "../charts/over_time.ts";
import { Plot } from "../charts/plot.ts";
import type { Point } from "../contract.ts";
import { card, el, note, say } from "../dom.ts";
import { batchOf, phasesOf } from "../figures/phases.ts";
import { answersOf, type Spans, spansOf } from "../figures/points.ts";
import { filled, steps, timesOf } from "../figures/series.ts";
import { count, duration, fixed, NONE, percent, significant } from "../format.ts";
import { drawing } from "./drawing.ts";
import { tile } from "./now/tile.ts";
import { splitCard } from "./performance/split.ts";
import { staleNote } from "./stale.ts";
import type { Page, Tab } from "./tab.ts";

const HEIGHT = 180;
const total = (counts: number[]): number => counts.reduce((sum, each) => sum + each, 0);

export function performanceTab(page: Page): Tab {
  const { live } = page;
  const waiting = note("loading", "Waiting for the first figures of the server …");
  const stale = staleNote(live);
  const split = splitCard();
  const histogram = histogramCard();
  const queue = queueTile();
  const batches = overTimeCard("Batch size", "Predictions in one run of the model, mean of each minute", "Mean batch", (value) => significant(value, 2));
  const waits = overTimeCard("Time in the queue", "Time that a prediction waits for its turn, mean of each minute", "Mean wait", duration);
  const body = el(
    "div",
    { hidden: true },
    split.element,
    el("div", { class: "split" }, histogram.element, el("div", { class: "stacked" }, queue.element, batches.tile)),
    el("div", { class: "pair below" }, batches.element, waits.element),
  );
  const draw = (): void => {
    waiting.hidden = live.now !== null;
    body.hidden = live.now === null;
    if (live.now === null) return;
    stale.draw();
    const spans = spansOf(live.minutes, live.recent);
    split.draw(live.phases, spans);
    histogram.draw(live.bounds, spans);
    queue.draw(live.now.in_progress, live.now.max_in_progress, live.phases, spans);
    const size = (point: Point): number | null => batchOf(answersOf(point), point.runs);
    batches.draw(live.minutes, size);
    batches.tell(size(spans.minute), size(spans.hourBefore), spans);
    waits.draw(live.minutes, (point) => phasesOf(["queue"], point)[0]?.mean ?? null);
  };
  return { id: "performance", title: "Performance", panel: el("section", {}, waiting, stale.element, body), ...drawing(live, draw) };
}

/** The shares of all answers by their time: the last minute as an area, the hour before as a dashed line. */
function histogramCard(): { element: HTMLElement; draw: (bounds: number[], spans: Spans) => void } {
  let edges: number[] = [];
  let bounds: number[] = [];
  const bucket = (low: number): string => {
    const index = bounds.indexOf(low);
    if (index === bounds.length - 1) return `over ${duration(low)}`;
    return index < 0 ? `up to ${duration(bounds[0] ?? 0)}` : `${duration(low)} to ${duration(bounds[index + 1] ?? 0)}`;
  };
  const share = (value: number): string => percent(value / 100, value < 10 ? 1 : 0);
  const plot = new Plot({
    label: "Share of the answers by their time, on a logarithmic scale",
    height: 260,
    steps: true,
    axis: (value) => `${value} %`,
    lines: [
      { label: "Last minute", colour: "--series-1", area: 0.25, text: share },
      { label: "Hour before", colour: "--series-2", dash: [6, 4], text: share },
    ],
    place: (x) => bucket(x),
    ticks: (values) => values.map((each) => (each === null ? "" : duration(each))),
  });
  const told = el("p", { class: "soft small" });
  return {
    element: card("Time to answer", plot.element, told),
    draw: (known, { minute, hourBefore }) => {
      bounds = known;
      const [from, to] = filled([minute.latency, hourBefore.latency], bounds.length + 1);
      const [now, before] = [steps(bounds, minute.latency), steps(bounds, hourBefore.latency)];
      edges = now.edges.slice(from, to + 1);
      const cut = (values: (number | null)[]): (number | null)[] => {
        const part = values.slice(from, to + 1);
        return [...part.slice(0, -1), part.at(-2) ?? null];
      };
      plot.draw(edges, [cut(now.shares), cut(before.shares)], "Nothing has been answered yet.");
      say(told, `From the arrival of a request's body to its result: ${count(total(minute.latency))} answers in the last minute, ${count(total(hourBefore.latency))} in the hour before.`);
    },
  };
}

function queueTile(): { element: HTMLElement; draw: (now: number, most: number, phases: string[], spans: Spans) => void } {
  const fill = el("span", { class: "meter-fill" });
  const meter = el("span", { class: "meter long-meter", "aria-hidden": "true" }, fill);
  const queue = tile("Requests in progress", meter);
  return {
    element: queue.element,
    draw: (now, most, phases, { minute, hourBefore }) => {
      queue.say(count(now), `of at most ${count(most)}`, now >= most ? "bad" : now > most / 2 ? "warn" : "");
      fill.style.width = `${most === 0 ? 0 : Math.min(100, (100 * now) / most)}%`;
      const wait = (point: Point): string => {
        const mean = phases.includes("queue") ? phasesOf(["queue"], point)[0]?.mean : null;
        return mean === null || mean === undefined ? NONE : duration(mean);
      };
      queue.more(`Mean wait in the queue: ${wait(minute)} · hour before ${wait(hourBefore)}`, "Requests beyond the limit are refused as OVERLOADED.");
    },
  };
}

type OverTime = {
  element: HTMLElement;
  tile: HTMLElement;
  draw: (minutes: Point[], of: (point: Point) => number | null) => void;
  tell: (now: number | null, before: number | null, spans: Spans) => void;
};

function overTimeCard(title: string, label: string, line: string, text: (value: number) => string): OverTime {
  const plot = new Plot({ label, height: HEIGHT, axis: text, lines: [{ label: line, colour: "--series-1", area: 0.12, text }], ...overTime() });
  const figure = tile(title);
  return {
    element: card(`${title}, last two hours`, plot.element),
    tile: figure.element,
    draw: (minutes, of) => plot.draw(timesOf(minutes), [minutes.map(of)], minutes.length === 0 ? "The first full minute is not over yet." : "Nothing was answered in the last two hours."),
    tell: (now, before, { minute }) => {
      figure.say(now === null ? NONE : fixed(now, 2), "predictions a run, last minute");
      figure.more(`The hour before: ${before === null ? NONE : fixed(before, 2)} · ${count(minute.runs)} runs in the last minute`, "Requests that arrive while the model runs are answered together.");
    },
  };
}
