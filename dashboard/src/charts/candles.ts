/** The candle chart, by TradingView's Lightweight Charts. */
import {
  CandlestickSeries,
  ColorType,
  type IChartApi,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type Time,
  TickMarkType,
  createChart,
  createSeriesMarkers,
} from "lightweight-charts";

import type { Candle, Signal, SignalWord } from "../contract.ts";
import { el, say } from "../dom.ts";
import { type Bar, barsOf, decimalsOf } from "../figures/candles.ts";
import { fixed, moment, probability, utc } from "../format.ts";
import { withColours } from "../theme.ts";
import { shade } from "./colours.ts";

const DATES: ReadonlySet<TickMarkType> = new Set([TickMarkType.Year, TickMarkType.Month, TickMarkType.DayOfMonth]);
const CANDLE_WIDTH = 8;
const SHAPES = { long: "arrowUp", short: "arrowDown", hold: "circle" } as const satisfies Record<SignalWord, string>;

/** Candles with a signal on the last one. Made when it is first shown, because it needs a width. */
export class CandleChart {
  readonly element: HTMLElement;
  readonly #box = el("div", { class: "candles", role: "img", tabindex: "0" });
  readonly #prices = el("p", { class: "prices", "aria-hidden": "true" });
  #chart: IChartApi | null = null;
  #series: ISeriesApi<"Candlestick"> | null = null;
  #markers: ISeriesMarkersPluginApi<Time> | null = null;
  #timed = true;
  #decimals = 2;
  #bars: Bar[] = [];
  #signal: Signal | null = null;

  constructor() {
    // The library's own logo brings a <style> element, which the page's content policy forbids.
    const credit = el(
      "a",
      { class: "credit", href: "https://www.tradingview.com/", target: "_blank", rel: "noreferrer" },
      "Charting by TradingView",
    );
    this.element = el("div", { class: "candles-holder" }, this.#box, this.#prices, credit);
    this.#box.addEventListener("keydown", (event) => this.#key(event));
    withColours(() => this.#paint());
  }

  /** Show a window. `other`: it is of another place, so that its end is shown. `label` says in words what it is. */
  draw(candles: readonly Candle[], signal: Signal, other: boolean, label: string): void {
    const { bars, timed } = barsOf(candles);
    this.#timed = timed;
    this.#signal = signal;
    const chart = (this.#chart ??= this.#make());
    const decimals = (this.#decimals = decimalsOf(candles));
    this.#series ??= chart.addSeries(CandlestickSeries, {});
    this.#series.applyOptions({
      priceFormat: { type: "custom", minMove: 10 ** -decimals, formatter: (price: number) => fixed(price, decimals) },
    });
    this.#series.setData(bars.map((bar) => ({ ...bar, time: bar.time as Time })));
    this.#markers ??= createSeriesMarkers(this.#series, []);
    this.#paint();
    this.#bars = bars;
    const last = bars.at(-1);
    if (last !== undefined) {
      this.#mark(last.time);
      this.#say(last);
      const words = `Last candle: ${this.#words(last, ["open ", ", high ", ", low ", ", close "])}.`;
      this.#box.setAttribute("aria-label", `${label}. ${words} Arrow keys move, plus and minus zoom.`);
    }
    const room = Math.round(this.#box.clientWidth / CANDLE_WIDTH);
    if (other)
      chart.timeScale().setVisibleLogicalRange({ from: Math.max(-1, bars.length - room), to: bars.length + 4 });
  }

  /** Write a candle's prices above the chart. */
  #say(bar: Bar): void {
    this.#prices.className = `prices ${bar.close >= bar.open ? "long" : "short"}`;
    say(this.#prices, this.#words(bar, ["O ", "  H ", "  L ", "  C "]));
  }

  #words({ open, high, low, close }: Bar, names: string[]): string {
    return [open, high, low, close].map((price, index) => `${names[index]}${fixed(price, this.#decimals)}`).join("");
  }

  #mark(time: number): void {
    const { signal, confidence } = this.#signal as Signal;
    this.#markers?.setMarkers([
      {
        time: time as Time,
        position: signal === "long" ? "belowBar" : "aboveBar",
        shape: SHAPES[signal],
        color: shade(`--${signal}`),
        text: `${signal} ${probability(confidence)}`,
        size: 1.4,
      },
    ]);
  }

  #make(): IChartApi {
    const text = (time: Time): string =>
      this.#timed
        ? `${moment(new Date((time as number) * 1e3))} (${utc(new Date((time as number) * 1e3)).slice(11, 16)} UTC)`
        : `Candle ${Number(time) + 1}`;
    const chart = createChart(this.#box, {
      autoSize: true,
      width: this.#box.clientWidth,
      height: this.#box.clientHeight,
      layout: { attributionLogo: false, fontFamily: "system-ui, sans-serif", fontSize: 12 },
      localization: { timeFormatter: text },
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      handleScale: { mouseWheel: false },
      timeScale: {
        timeVisible: true,
        secondsVisible: false,
        tickMarkFormatter: (time: Time, type: TickMarkType) => {
          if (!this.#timed) return String(Number(time) + 1);
          const at = moment(new Date((time as number) * 1e3));
          return DATES.has(type) ? at.slice(5, 10) : at.slice(-5);
        },
      },
    });
    // The candle under the pointer, else the last one.
    chart.subscribeCrosshairMove(({ time }) => {
      const bar = this.#bars.find((each) => each.time === time) ?? this.#bars.at(-1);
      if (bar !== undefined) this.#say(bar);
    });
    return chart;
  }

  #paint(): void {
    if (this.#chart === null) return;
    const line = shade("--line");
    this.#chart.applyOptions({
      layout: { background: { type: ColorType.Solid, color: "transparent" }, textColor: shade("--soft") },
      grid: { vertLines: { color: shade("--line", 0.5) }, horzLines: { color: shade("--line", 0.5) } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line },
    });
    const [up, down] = [shade("--long"), shade("--short")];
    // Falling candles are filled and rising ones are hollow, so that colour is not all that tells them apart.
    this.#series?.applyOptions({
      upColor: shade("--card"),
      downColor: down,
      borderUpColor: up,
      borderDownColor: down,
      wickUpColor: up,
      wickDownColor: down,
    });
    const last = this.#series?.data().at(-1);
    if (last !== undefined && this.#signal !== null) this.#mark(last.time as number);
  }

  #key(event: KeyboardEvent): void {
    const scale = this.#chart?.timeScale();
    const range = scale?.getVisibleLogicalRange();
    if (!scale || !range) return;
    const step = (range.to - range.from) / 8;
    const by = {
      ArrowLeft: [-step, -step],
      ArrowRight: [step, step],
      "+": [step, 0],
      "-": [-step, 0],
      Home: [-range.from, -range.from],
    }[event.key];
    if (event.key === "End")
      scale.setVisibleLogicalRange({ from: this.#bars.length - (range.to - range.from), to: this.#bars.length + 4 });
    if (by === undefined) return;
    event.preventDefault();
    scale.setVisibleLogicalRange({ from: range.from + (by[0] ?? 0), to: range.to + (by[1] ?? 0) });
  }
}
