/** The horizontal axis of charts over time, in the viewer's zone. */
import { clock, moment, utc } from "../format.ts";
import type { Settings } from "./plot.ts";

const MINUTE = 60;

/** The parts of a chart's settings that say what a time is. `step`: the usual distance of two values in seconds. */
export function overTime(step = MINUTE): Pick<Settings, "place" | "placeTitle" | "ticks"> {
  return {
    place: (x) => (step < MINUTE ? clock(new Date(x * 1e3)) : moment(new Date(x * 1e3)).slice(-5)),
    placeTitle: (x) => utc(new Date(x * 1e3)),
    ticks: (values, apart) => values.map((x) => clock(new Date((x ?? 0) * 1e3)).slice(0, apart < MINUTE ? 8 : 5)),
  };
}
