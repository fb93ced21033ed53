/** Line, area and step charts by uPlot, with the page's colours, a legend of values, and the same in words. */
import uPlot from "uplot";

import { el, fill, say } from "../dom.ts";
import { NONE } from "../format.ts";
import { axisOf, type Values, stack } from "../figures/series.ts";
import { withColours } from "../theme.ts";
import { shade } from "./colours.ts";

/** One series. Series of a chart differ in their dash or in their place, not in colour alone. */
export type Line = {
  label: string;
  /** A colour of the style sheet, such as `--series-1`. */
  colour: string;
  dash?: number[];
  /** How strong the area below the line is, from 0 to 1. */
  area?: number;
  text: (value: number) => string;
};

export type Settings = {
  /** What the chart shows, for screen readers. */
  label: string;
  height: number;
  lines: Line[];
  /** Text of a value on the vertical axis. Without it the chart has neither axes nor a legend. */
  axis?: (value: number) => string;
  log?: boolean;
  /** The lowest and highest value that the vertical axis has at least. */
  least?: [number, number];
  /** Series lie on top of each other. */
  stacked?: boolean;
  /** Values are steps over an axis of seconds with a logarithmic scale, as those of a histogram. */
  steps?: boolean;
  /** Words for a place on the horizontal axis. */
  place: (x: number, index: number) => string;
  placeTitle?: (x: number) => string;
  /** The least length of the horizontal axis, which ends with the last value. */
  shortest?: number;
  /** Text at the horizontal axis. */
  ticks: (values: (number | null)[], step: number) => string[];
};

const AXIS_WIDTH = 58;
const TEXT_WIDTH = 48;
// Seconds between two texts at an axis of time. uPlot's own 200 s would be 01:33, 01:36 and 01:40.
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const FONT = "12px system-ui, sans-serif";

/** A chart, which follows the size of its place and the theme. Give it `draw` new values as often as wanted. */
export class Plot {
  readonly element: HTMLElement;
  readonly #settings: Settings;
  readonly #box: HTMLElement;
  readonly #none = el("p", { class: "plot-none note", hidden: true });
  readonly #spoken = el("p", { class: "hidden", role: "status" });
  readonly #place = el("span", { class: "legend-place" });
  readonly #texts: HTMLElement[] = [];
  #plot: uPlot | null = null;
  #x: number[] = [];
  #values: Values[] = [];
  #cursor: number | null = null;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#box = el("div", { class: "plot", role: "img", "aria-label": settings.label });
    this.#box.style.height = `${settings.height}px`;
    const holder = el("div", { class: "plot-holder" }, this.#box, this.#none);
    this.element = el("div", { class: "chart" }, holder);
    if (settings.axis !== undefined) {
      this.#box.tabIndex = 0;
      this.#box.addEventListener("keydown", (event) => this.#key(event));
      this.#box.addEventListener("blur", () => this.#point(null));
      this.element.append(this.#legend(), this.#spoken);
    }
    new ResizeObserver(() => this.#resize()).observe(this.#box);
    withColours(() => this.#plot?.redraw(false));
  }

  /** Show values. `empty`: the sentence where there are none. */
  draw(x: number[], values: Values[], empty: string): void {
    this.#x = x;
    this.#values = values;
    const nothing = !values.some((each) => each.some((value) => value !== null));
    this.#none.hidden = !nothing;
    say(this.#none, nothing ? empty : "");
    this.#box.classList.toggle("nothing", nothing);
    const edges: Values[] = this.#settings.stacked === true ? stack(values) : values;
    const data = [x, ...edges] as uPlot.AlignedData;
    if (this.#plot !== null) this.#plot.setData(data);
    else if (this.#box.clientWidth > 0) this.#make(data);
    this.#say(nothing ? empty : null);
  }

  #make(data: uPlot.AlignedData): void {
    this.#plot = new uPlot(this.#options(), data, this.#box);
  }

  #resize(): void {
    const width = this.#box.clientWidth;
    if (width === 0) return;
    if (this.#plot === null) {
      if (this.#x.length > 0) this.draw(this.#x, this.#values, this.#none.textContent ?? "");
    } else if (this.#plot.width !== width) this.#plot.setSize({ width, height: this.#settings.height });
  }

  #options(): uPlot.Options {
    const { height, lines, axis, log, steps, stacked, shortest } = this.#settings;
    const bare = axis === undefined;
    const paths = steps === true ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
    const series = lines.map((line): uPlot.Series => ({
      label: line.label,
      stroke: () => shade(line.colour),
      width: 1.5,
      dash: line.dash ?? [],
      ...(line.area === undefined ? {} : { fill: () => shade(line.colour, line.area) }),
      ...(paths === undefined ? {} : { paths }),
      points: { show: bare || steps === true ? false : (plot) => (plot.data[0]?.length ?? 0) < 8, size: 5 },
    }));
    return {
      width: this.#box.clientWidth,
      height,
      padding: bare ? [2, 0, 2, 0] : [8, 18, 0, 0],
      series: [{}, ...series],
      bands:
        stacked === true
          ? lines.slice(1).map((_, index) => ({ series: [index + 2, index + 1] as [number, number] }))
          : [],
      scales: {
        x: {
          time: false,
          ...(steps === true ? { distr: 3 as const } : {}),
          range: (plot, low, high) => (shortest === undefined ? [low, high] : axisOf(plot.data[0] ?? [], shortest)),
        },
        y: { range: (_plot, low, high) => this.#range(low, high), ...(log === true ? { distr: 3 as const } : {}) },
      },
      axes: bare ? [{ show: false }, { show: false }] : [this.#xAxis(), this.#yAxis(axis)],
      legend: { show: false },
      cursor: {
        show: !bare,
        y: false,
        drag: { setScale: false, x: false, y: false },
        points: { size: 7 },
        ...(steps === true ? { dataIdx: (_plot, _series, index, value) => this.#bucket(index, value) } : {}),
      },
      hooks: { setCursor: [(plot) => this.#moved(plot)] },
    };
  }

  #xAxis(): uPlot.Axis {
    const { ticks, steps, shortest } = this.#settings;
    return {
      font: FONT,
      stroke: () => shade("--soft"),
      grid: { show: false },
      ticks: { stroke: () => shade("--line"), size: 5 },
      size: 30,
      space: 64,
      values: (_plot, splits, _axis, _space, step) => ticks(splits, step),
      ...(shortest === undefined ? {} : { incrs: TIME_STEPS }),
      // All bounds of the histogram that is shown, as far as their texts fit.
      ...(steps === true ? { splits: () => this.#x.slice(1, -1), filter: fitting } : {}),
    };
  }

  #yAxis(text: (value: number) => string): uPlot.Axis {
    // On a logarithmic axis only the powers of ten have a text and a line.
    const powers = (_plot: uPlot, splits: number[]): (number | null)[] =>
      splits.map((each) => (Number.isInteger(round(Math.log10(each))) ? each : null));
    const filter = this.#settings.log === true ? { filter: powers } : {};
    return {
      font: FONT,
      stroke: () => shade("--soft"),
      grid: { stroke: () => shade("--line"), width: 1, ...filter },
      ticks: { show: false },
      size: AXIS_WIDTH,
      space: 36,
      gap: 6,
      values: (_plot, splits) => splits.map((value) => (value === null ? "" : text(value))),
      ...filter,
    };
  }

  #range(low: number | null, high: number | null): [number, number] {
    const { log, least } = this.#settings;
    const bottom = Math.min(low ?? Number.POSITIVE_INFINITY, least?.[0] ?? Number.POSITIVE_INFINITY);
    const top = Math.max(high ?? 0, least?.[1] ?? 0);
    if (log === true)
      return [10 ** Math.floor(Math.log10(bottom > 0 ? bottom : 1e-4)), 10 ** Math.ceil(Math.log10(top || 1))];
    const full = this.#settings.stacked === true && least?.[1] === top;
    return [0, top === 0 ? 1 : full ? top : top * 1.1];
  }

  /** The bucket that a place of the cursor is in; uPlot would take the nearest edge. */
  #bucket(index: number, value: number): number {
    return (this.#x[index] ?? 0) > value && index > 0 ? index - 1 : index;
  }

  #legend(): HTMLElement {
    const items = this.#settings.lines.map((line) => {
      const swatch = el("span", {
        class: `swatch${line.dash === undefined ? "" : line.dash[0] === 2 ? " dotted" : " dashed"}`,
      });
      swatch.style.color = `var(${line.colour})`;
      const text = el("span", { class: "legend-value" }, NONE);
      this.#texts.push(text);
      return el("li", {}, swatch, `${line.label} `, text);
    });
    return el("div", { class: "legend", "aria-hidden": "true" }, this.#place, el("ul", {}, ...items));
  }

  #moved(plot: uPlot): void {
    const index = plot.cursor.idx ?? null;
    if (index === this.#cursor) return;
    this.#cursor = index;
    this.#say(null);
  }

  #index(): number {
    const last = this.#x.length - (this.#settings.steps === true ? 2 : 1);
    return Math.min(this.#cursor ?? last, last);
  }

  /** Write the values at the cursor, else the last ones, into the legend and the words. */
  #say(empty: string | null): void {
    const { lines, label, steps, axis, place, placeTitle } = this.#settings;
    if (empty !== null || this.#x.length === 0) {
      fill(this.#place, NONE);
      for (const text of this.#texts) say(text, NONE);
      this.#box.setAttribute("aria-label", `${label}. ${empty ?? ""}`);
      return;
    }
    // A histogram has no last value: without a cursor its legend is a key only, and its words have the largest part.
    const largest =
      this.#values[0]?.reduce<number>((most, value, at, all) => ((value ?? -1) > (all[most] ?? -1) ? at : most), 0) ??
      0;
    const index = steps === true && this.#cursor === null ? largest : this.#index();
    const x = this.#x[index] ?? 0;
    const texts = lines.map((line, at) => {
      const value = this.#values[at]?.[index];
      return value === null || value === undefined ? NONE : line.text(value);
    });
    this.#box.setAttribute(
      "aria-label",
      `${label}. ${place(x, index)}: ${lines.map((line, at) => `${line.label} ${texts[at]}`).join(", ")}.`,
    );
    if (axis === undefined) return;
    say(this.#place, place(x, index));
    this.#place.title = placeTitle?.(x) ?? "";
    for (const [at, text] of texts.entries()) say(this.#texts[at] as HTMLElement, text);
  }

  #key(event: KeyboardEvent): void {
    const last = this.#x.length - (this.#settings.steps === true ? 2 : 1);
    const at = this.#index();
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (event.key === "Escape") this.#point(null);
    if (to === undefined) return;
    event.preventDefault();
    this.#point(Math.max(0, Math.min(last, to)));
    say(this.#spoken, (this.#box.getAttribute("aria-label") ?? "").replace(`${this.#settings.label}. `, ""));
  }

  #point(index: number | null): void {
    if (this.#plot === null) return;
    if (index === null) this.#plot.setCursor({ left: -10, top: -10 });
    else {
      const left = this.#plot.valToPos(this.#x[index] ?? 0, "x");
      this.#plot.setCursor({ left: this.#settings.steps === true ? left + 1 : left, top: 10 });
    }
  }
}

/** The values whose texts have room beside that of the one before; null for the others. */
function fitting(plot: uPlot, values: number[]): (number | null)[] {
  let last = Number.NEGATIVE_INFINITY;
  return values.map((value) => {
    const at = plot.valToPos(value, "x");
    if (at - last < TEXT_WIDTH) return null;
    last = at;
    return value;
  });
}

function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
