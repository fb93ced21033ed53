/** The phases of a prediction as two stacked bars: the last minute, and the hour before. */
import type { Point } from "../../contract.ts";
import { card, el, note, say, table } from "../../dom.ts";
import { type Phase, phasesOf, wholeOf } from "../../figures/phases.ts";
import type { Spans } from "../../figures/points.ts";
import { duration, NONE, percent } from "../../format.ts";

const MEANINGS: Record<string, string> = {
  parse: "Reading the JSON",
  queue: "Waiting for a turn, choosing the version, recording",
  features: "Indicators from the candles",
  stage1: "The network that finds reversals",
  stage2: "The network that names the direction, where it ran",
  encode: "Writing the JSON",
};
// A narrower part has no room for its name.
const NAMED_SHARE = 0.09;

type Bar = { row: HTMLElement; draw: (phases: Phase[], longest: number) => void };
type Split = { element: HTMLElement; draw: (names: string[], spans: Spans) => void };

export function splitCard(): Split {
  let known = "";
  let draw: ((points: [Point, Point]) => void) | null = null;
  const place = el("div", {});
  const none = note("empty", "Nothing has been answered yet.");
  return {
    element: card("Time of a prediction", none, place),
    draw: (names, { minute, hourBefore }) => {
      if (known !== names.join() || draw === null) {
        known = names.join();
        draw = made(names, place);
      }
      none.hidden = Object.keys(minute.phases).length + Object.keys(hourBefore.phases).length > 0;
      place.hidden = !none.hidden;
      draw([minute, hourBefore]);
    },
  };
}

function made(names: string[], place: HTMLElement): (points: [Point, Point]) => void {
  const bars = [barOf("Last minute", names), barOf("Hour before", names)];
  const cells = names.map(() => Array.from({ length: 4 }, () => el("td", { class: "number" })));
  const rows = names.map((name, index) =>
    el(
      "tr",
      {},
      el("th", { scope: "row", title: MEANINGS[name], class: "nowrap" }, key(index), name),
      el("td", { class: "soft optional" }, MEANINGS[name] ?? ""),
      ...(cells[index] ?? []),
    ),
  );
  const number = (text: string, title = ""): HTMLElement => el("th", { scope: "col", class: "number", title }, text);
  const heads = [
    "Phase",
    el("th", { scope: "col", class: "optional" }, "What it is"),
    number("Last minute", "Mean of all predictions"),
    number("Share"),
    number("Hour before", "Mean of all predictions"),
    number("Each time it ran", "Mean of the predictions of the last minute in which it ran"),
  ];
  place.replaceChildren(
    el("div", { class: "time-split" }, ...bars.map(({ row }) => row)),
    table("Phases of a prediction", heads, rows),
  );
  return (points) => {
    const split = points.map((point) => phasesOf(names, point));
    const [minute, before] = split as [Phase[], Phase[]];
    const longest = Math.max(...split.map((phases) => wholeOf(phases) ?? 0));
    for (const [index, bar] of bars.entries()) bar.draw(split[index] ?? [], longest);
    const seconds = (value: number | null | undefined): string =>
      value === null || value === undefined ? NONE : duration(value);
    for (const [index, row] of cells.entries()) {
      const share = minute[index]?.share ?? null;
      const texts = [
        seconds(minute[index]?.mean),
        share === null ? NONE : percent(share, 0),
        seconds(before[index]?.mean),
        seconds(minute[index]?.ran),
      ];
      for (const [column, cell] of row.entries()) say(cell, texts[column] ?? NONE);
    }
  };
}

function key(index: number): HTMLElement {
  return el("span", { class: `phase-key phase-${index + 1}`, "aria-hidden": "true" });
}

function barOf(title: string, names: string[]): Bar {
  const parts = names.map((name, index) =>
    el("span", { class: `phase phase-${index + 1}`, title: name }, el("span", {}, name)),
  );
  const whole = el("span", { class: "time-whole" });
  const bar = el("div", { class: "time-bar" }, ...parts);
  const row = el(
    "div",
    { class: "time-row", role: "img" },
    el("span", { class: "time-title" }, title),
    el("div", { class: "time-track" }, bar),
    whole,
  );
  return {
    row,
    draw: (phases, longest) => {
      const sum = wholeOf(phases);
      say(whole, sum === null ? NONE : duration(sum));
      bar.style.width = `${sum === null || longest === 0 ? 0 : (100 * sum) / longest}%`;
      for (const [index, part] of parts.entries()) {
        const share = phases[index]?.share ?? 0;
        part.style.width = `${100 * share}%`;
        part.classList.toggle("unnamed", share < NAMED_SHARE);
        part.title = `${names[index]}: ${duration(phases[index]?.mean ?? Number.NaN)}`;
      }
      const words = phases.map(({ name, mean }) => `${name} ${mean === null ? NONE : duration(mean)}`).join(", ");
      row.setAttribute(
        "aria-label",
        `${title}: ${sum === null ? "nothing was answered" : `${duration(sum)} in all; ${words}`}`,
      );
    },
  };
}
