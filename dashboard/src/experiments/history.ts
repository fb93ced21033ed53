/** The difference over time: a chart, what is under the pointer, and the same as a table. */
import { BandChart } from "../charts/band.ts";
import type { Schemas } from "../contract.ts";
import { card, el, fill, note, say } from "../dom.ts";
import { count, moment } from "../format.ts";
import { redraw } from "../parts/redraw.ts";
import { folded } from "../parts/shown.ts";
import { effect, KINDS, whole } from "./quantity.ts";
import { band, cutOff, range } from "../charts/band_series.ts";
import { looks } from "./tables.ts";
import type { Report } from "./words.ts";

const FACTORS: Record<Schemas["Metric"], number> = { win_rate: 100, mean_pnl: 1 };

export type History = { element: HTMLElement; show: (report: Report) => void };

/** The part. */
export function historyPart(): History {
  const legend = el("p", { class: "legend small" });
  const under = el("p", { class: "soft small reading", "aria-hidden": "true" });
  const empty = el("div", {});
  const table = el("div", {});
  let shown: Report | null = null;
  let drawn = "";
  const chart = new BandChart((index) => read(index));
  const element = card("The difference over time, B − A", empty, legend, chart.element, under, table);

  /** Say what the chart shows at a look: the last one, unless the pointer is at another. */
  function read(index: number | null): void {
    if (shown === null) return;
    const seen = shown.history.filter((look) => look.estimate !== null && look.interval !== null);
    const look = seen[index ?? seen.length - 1];
    if (look === undefined) return say(under, "");
    say(under, `${moment(look.at)}: ${whole(look, KINDS[shown.metric], true)}, ${count(look.candles)} candle times: ${look.word}`);
  }

  function key(kind: string, text: string): HTMLElement {
    return el("span", {}, el("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), text);
  }

  function show(report: Report): void {
    element.hidden = report.status === "draft";
    const now = JSON.stringify([report.experiment_id, report.history]);
    if (now === drawn) return;
    drawn = now;
    shown = report;
    const factor = FACTORS[report.metric];
    const found = band(report.history, factor);
    const some = found.times.length > 0;
    chart.element.hidden = !some;
    fill(empty, some ? null : note("empty", "No look has a difference yet. The server looks by itself while the experiment runs, once both versions have results."));
    if (!some) {
      fill(legend);
      fill(table);
      say(under, "");
      return;
    }
    const least = report.minimum_effect * factor;
    const shape = range(found, least);
    const early = found.earlyLow.some((end) => end !== null);
    fill(
      legend,
      key("difference", report.metric === "win_rate" ? "difference, percentage points" : "difference, pips"),
      key("interval", "its interval"),
      early ? key("early", `not yet valid${cutOff(found, shape) ? ", cut off where it is wide" : ""}`) : null,
      key("least", `smallest difference of interest, ${effect(report.minimum_effect, report.metric)}`),
    );
    chart.show({ band: found, range: shape, effect: least });
    read(null);
    redraw(table, folded("looks", `The ${count(report.history.length)} looks as a table`, looks(report)));
  }

  return { element, show };
}
