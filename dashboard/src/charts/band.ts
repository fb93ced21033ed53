/** A difference over time with the band of its interval, the line of zero and the smallest difference of interest. */
import uPlot from "uplot";
import { colour, withColours } from "../theme.ts";

const HEIGHT = 260;
const FONT = "12px system-ui, sans-serif";

/** Times in seconds since 1970; everything else in the unit that is shown. An interval that counts is in low and high,
 * one that rests on too few results in earlyLow and earlyHigh; the first that counts is in both, so that no gap is seen. */
export type Band = {
  times: number[];
  estimate: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  earlyLow: (number | null)[];
  earlyHigh: (number | null)[];
};

export type BandData = { band: Band; range: [number, number]; effect: number };

/** A chart in a place of its own. `hover` is told which look is under the pointer, or null. */
export class BandChart {
  readonly element: HTMLElement;
  readonly #hover: (index: number | null) => void;
  #plot: uPlot | null = null;
  #data: BandData | null = null;

  constructor(hover: (index: number | null) => void) {
    this.#hover = hover;
    this.element = document.createElement("div");
    this.element.className = "band-chart";
    this.element.setAttribute("aria-hidden", "true"); // the table beside it says the same
    new ResizeObserver(() => this.#fit()).observe(this.element);
    withColours(() => this.#make());
  }

  /** Show other data. */
  show(data: BandData): void {
    this.#data = data;
    this.#make();
  }

  #fit(): void {
    const width = this.element.clientWidth;
    if (width === 0) return;
    if (this.#plot === null) this.#make();
    else if (this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT });
  }

  #make(): void {
    this.#plot?.destroy();
    this.#plot = null;
    const data = this.#data;
    const width = this.element.clientWidth;
    if (data === null || width === 0) return;
    const { band, range } = data;
    const [text, line, main] = [colour("--soft"), colour("--line"), colour("--series-1")];
    const faint = (share: number): string => main.replace("rgb(", "rgba(").replace(")", `, ${share})`);
    const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: FONT };
    // A single look has no width: its interval is then an error bar of two points.
    const points = { show: band.times.length < 3, size: 7, fill: main };
    const edge = (shown: number): uPlot.Series => ({ stroke: faint(shown), width: 1, points: { ...points, fill: faint(0.6), size: 5 } });
    const [first, last] = [band.times[0] ?? 0, band.times.at(-1) ?? 0];
    const margin = Math.max((last - first) * 0.02, last === first ? 1800 : 0);
    this.#plot = new uPlot(
      {
        width,
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: { x: { time: true, range: [first - margin, last + margin] }, y: { range } },
        axes: [
          { ...axis, values: timeLabels, space: 90 },
          { ...axis, size: 58, values: (_plot, values) => values.map((each) => (each > 0 ? "+" : each < 0 ? "−" : "") + String(Math.abs(Number(each.toFixed(6))))) },
        ],
        series: [
          {},
          { stroke: main, width: 2, points },
          edge(0.5),
          edge(0.5),
          edge(0.25),
          edge(0.25),
        ],
        bands: [
          { series: [3, 2], fill: faint(0.22) },
          { series: [5, 4], fill: faint(0.09) },
        ],
        hooks: {
          drawAxes: [(plot) => this.#lines(plot, data.effect, text)],
          setCursor: [(plot) => this.#hover(plot.cursor.idx ?? null)],
        },
      },
      [band.times, band.estimate, band.low, band.high, band.earlyLow, band.earlyHigh],
      this.element,
    );
  }

  #lines(plot: uPlot, effect: number, stroke: string): void {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = stroke;
    for (const [at, dash, width] of [
      [0, [], 1.5],
      [effect, [4, 4], 1],
      [-effect, [4, 4], 1],
    ] as const) {
      const y = Math.round(plot.valToPos(at, "y", true));
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.lineWidth = width * devicePixelRatio;
      ctx.setLineDash(dash.map((each) => each * devicePixelRatio));
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }
}

/** Days as 2026-11-30, times of a day as 14:00, in the viewer's zone. */
function timeLabels(_plot: uPlot, values: number[], _axis: number, _space: number, step: number): string[] {
  let before = "";
  return values.map((each) => {
    const at = new Date(each * 1000);
    const two = (part: number): string => String(part).padStart(2, "0");
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    if (step >= 86_400) return day;
    const label = `${two(at.getHours())}:${two(at.getMinutes())}`;
    const shown = day === before ? label : `${label}\n${day}`;
    before = day;
    return shown;
  });
}
