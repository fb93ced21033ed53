/** The answers as they come, newest first. */
import type { Signal } from "../../contract.ts";
import { el, note, say, table } from "../../dom.ts";
import { meaningOf } from "../../figures/codes.ts";
import { type Filter, isFiltered, newest } from "../../figures/listed.ts";
import { clock, count, fixed, NONE, probability, utc } from "../../format.ts";
import type { Live } from "../../live.ts";

const ROWS = 100;
// More new rows than these would make the whole table blink.
const MOST_FRESH = 6;
// From here on Stage 2 names the other direction.
const EVEN = 0.5;
const ARROWS = { long: "▲", short: "▼", hold: "■" } as const;

type Windows = { kept: () => boolean; show: (signal: Signal) => void };
type Listing = { element: HTMLElement; head: HTMLElement; draw: (filter: Filter) => void };

export function signalTable(live: Live, windows: Windows): Listing {
  let held: { signals: Signal[]; seen: number } | null = null;
  let last: Filter | null = null;
  const shown = new Map<Signal, HTMLTableRowElement>();
  const number = (text: string, title = ""): HTMLElement => el("th", { scope: "col", class: "number", title }, text);
  const heads = [
    el("th", { scope: "col", title: "In your time zone; UTC on hover" }, "Time"),
    "Pair",
    "Signal",
    number("Confidence", "How sure the detector is of the signal"),
    el("th", { scope: "col", title: "Stage 1: the probability of a reversal. The mark is the version's threshold" }, "Reversal"),
    el("th", { scope: "col", title: "Stage 2: the probability of the direction. The mark is 0.5" }, "Direction"),
    "Version",
    "Experiment",
    number("Latency"),
    "Warnings",
  ];
  const place = table("Answers, newest first", heads, []);
  place.classList.add("signals-list");
  const rows = place.querySelector("tbody") as HTMLElement;
  const summary = el("p", { class: "soft small" });
  const none = note("empty", "");
  const pause = el("button", { type: "button", "aria-pressed": "false", click: () => toggle() }, "Pause");
  const toggle = (): void => {
    held = held === null ? { signals: live.signals, seen: answered() } : null;
    pause.setAttribute("aria-pressed", String(held !== null));
    pause.classList.toggle("main", held !== null);
    if (last !== null) draw(last);
  };
  const answered = (): number => live.unseen + live.signals.length;
  const draw = (filter: Filter): void => {
    last = filter;
    const signals = held?.signals ?? live.signals;
    const found = newest(signals, filter, ROWS);
    place.hidden = found.length === 0;
    none.hidden = found.length > 0;
    say(none, signals.length === 0 ? "No predictions have been answered yet. They appear here within a second." : "No listed answer fits the chosen filters.");
    const wanted = new Set(found);
    for (const [signal, row] of shown)
      if (!wanted.has(signal)) {
        row.remove();
        shown.delete(signal);
      }
    const fresh = found.filter((signal) => !shown.has(signal));
    const blink = shown.size > 0 && fresh.length <= MOST_FRESH;
    for (const [index, signal] of found.entries()) {
      let row = shown.get(signal);
      if (row === undefined) shown.set(signal, (row = rowOf(signal, windows, blink)));
      if (rows.children[index] !== row) rows.insertBefore(row, rows.children[index] ?? null);
    }
    const more = held === null ? 0 : Math.max(0, live.signals.length - 1 - live.signals.lastIndexOf(held.signals.at(-1) as Signal));
    say(pause, held === null ? "Pause" : more === 0 ? "Resume" : `Resume (${count(more)}${more === live.signals.length ? " or more" : ""} newer)`);
    const total = live.unseen + live.signals.length;
    say(
      summary,
      (held === null ? "" : "Paused. ") +
        (total === 0
          ? ""
          : live.unseen > 0
            ? `The list is a sample: ${count(found.length)} of ${count(total)} answers shown.`
            : `${count(found.length)} of ${count(total)} answers shown${isFiltered(filter) ? ", as filtered" : ""}.`),
    );
  };
  const head = el("div", { class: "list-head" }, el("h2", {}, "Answers"), summary, pause);
  return { element: el("section", { class: "card", "aria-label": "Answers" }, head, place, none), head, draw };
}

function rowOf(signal: Signal, windows: Windows, fresh: boolean): HTMLTableRowElement {
  const where = `${signal.pair} · ${signal.timeframe}`;
  const pair = windows.kept()
    ? el("button", { type: "button", class: "plain", title: `Show the last window of ${where}`, click: () => windows.show(signal) }, where)
    : where;
  const above = signal.stage1_prob >= signal.threshold ? "at or above" : "below";
  return el(
    "tr",
    { class: fresh ? "fresh" : "" },
    el("td", {}, el("time", { datetime: signal.at, title: utc(signal.at) }, clock(signal.at))),
    el("td", { class: "nowrap" }, pair),
    el("td", {}, el("span", { class: `word ${signal.signal}` }, el("span", { "aria-hidden": "true" }, ARROWS[signal.signal]), ` ${signal.signal}`)),
    el("td", { class: "number" }, probability(signal.confidence)),
    meter(signal.stage1_prob, signal.threshold, `${above} the threshold of ${probability(signal.threshold)}`),
    signal.stage2_prob === null
      ? el("td", { class: "soft", title: "Stage 2 is not asked for a hold" }, NONE)
      : meter(signal.stage2_prob, EVEN, `probability of ${signal.signal}`),
    el("td", {}, signal.version, signal.fallback_reason === null ? null : el("div", { class: "warn small", title: signal.fallback_reason }, "fallback")),
    el("td", {}, signal.experiment === null ? el("span", { class: "soft" }, NONE) : `${signal.experiment.experiment_id} ${signal.experiment.variant}`),
    el("td", { class: "number" }, `${fixed(signal.latency_ms, signal.latency_ms < 10 ? 2 : 0)} ms`),
    el("td", {}, ...(signal.warnings.length === 0 ? [el("span", { class: "soft" }, NONE)] : signal.warnings.map((code) => el("code", { class: "warn", title: meaningOf(code) }, code, " ")))),
  );
}

/** A probability with a small bar, on which a mark is the threshold. The words are for screen readers. */
function meter(value: number, mark: number, words: string): HTMLElement {
  const bar = el("span", { class: `meter ${value >= mark ? "reached" : ""}`, "aria-hidden": "true" }, el("span", { class: "meter-fill" }), el("span", { class: "meter-mark" }));
  (bar.firstElementChild as HTMLElement).style.width = `${100 * value}%`;
  (bar.lastElementChild as HTMLElement).style.left = `${100 * mark}%`;
  return el("td", { class: "nowrap", title: words }, bar, el("span", {}, probability(value)), el("span", { class: "hidden" }, ` ${words}`));
}
