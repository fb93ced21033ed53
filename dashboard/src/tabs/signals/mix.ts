/** The mix of long, short and hold over time. */
import { overTime } from "../../charts/over_time.ts";
import { Plot } from "../../charts/plot.ts";
import type { Point } from "../../contract.ts";
import { card, el, say } from "../../dom.ts";
import { answered, type Filter, mixOfPoints, mixOfSignals, sharesOf } from "../../figures/listed.ts";
import { sumOf, WORDS } from "../../figures/points.ts";
import { grouped } from "../../figures/series.ts";
import { percent } from "../../format.ts";
import type { Live } from "../../live.ts";

const LISTED_SECONDS = 10;
const RECENT_SECONDS = 10;

type Mix = { element: HTMLElement; draw: (live: Live, filter: Filter) => void };

export function mixCard(): Mix {
  const plot = new Plot({
    label: "Share of long, short and hold among the answers over time",
    height: 300,
    stacked: true,
    axis: (value) => `${value} %`,
    least: [0, 100],
    // From the bottom: long, short, hold.
    lines: WORDS.map((word) => ({
      label: word,
      colour: `--${word}`,
      area: word === "hold" ? 0.18 : 0.4,
      text: (value) => percent(value / 100, 0),
    })),
    ...overTime(10),
  });
  let drawn: Point[] | null = null;
  const told = el("p", { class: "soft small" });
  return {
    element: card("Mix of signals", plot.element, told),
    draw: (live, filter) => {
      const filtered = filter.pair !== "" || filter.timeframe !== "";
      const recent = live.minutes.length < 3;
      // Without a filter the chart changes with the points, which are new lists then.
      const source = filtered ? null : recent ? live.recent : live.minutes;
      if (source !== null && source === drawn) return;
      drawn = source;
      const points = recent ? grouped(live.recent, RECENT_SECONDS).map(sumOf) : live.minutes;
      const mix = answered(
        filtered ? mixOfSignals(live.signals, { ...filter, signal: "" }, LISTED_SECONDS) : mixOfPoints(points),
      );
      const shares = sharesOf(mix);
      plot.draw(
        mix.times,
        WORDS.map((word) => shares[word]),
        "Nothing has been answered yet.",
      );
      say(
        told,
        filtered
          ? "Of the listed answers with the chosen pair and timeframe, in spans of 10 s: a sample where not all are listed."
          : `Of all answers, by ${recent ? "10 s" : "the minute, over up to two hours"}. From the bottom: long, short, hold.`,
      );
    },
  };
}
