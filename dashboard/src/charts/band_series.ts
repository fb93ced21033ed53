/** The looks at an experiment as columns for a chart: the difference and its interval over time. */
import type { Band } from "./band.ts";
import type { Schemas } from "../contract.ts";

type Look = Schemas["History"][number];

/** The columns of a history. `factor` turns its numbers into the unit that is shown. */
export function band(history: Look[], factor: number): Band {
  const found: Band = { times: [], estimate: [], low: [], high: [], earlyLow: [], earlyHigh: [] };
  const looks = history.filter((look) => look.estimate !== null && look.interval !== null);
  looks.forEach((look, index) => {
    const [low, high] = (look.interval as number[]).map((end) => end * factor) as [number, number];
    const early = !look.valid || looks[index - 1]?.valid === false;
    found.times.push(Date.parse(look.at) / 1000);
    found.estimate.push((look.estimate as number) * factor);
    found.low.push(look.valid ? low : null);
    found.high.push(look.valid ? high : null);
    found.earlyLow.push(early ? low : null);
    found.earlyHigh.push(early ? high : null);
  });
  return found;
}

/** How far up and down to draw: all of what counts, zero and the smallest difference of interest. The first intervals
 * are so wide that what follows could not be seen beside them: they are cut off. */
export function range(of: Band, effect: number): [number, number] {
  const counts = [...of.low, ...of.high].filter((end) => end !== null);
  const last = [of.earlyLow.at(-1), of.earlyHigh.at(-1)].filter((end) => end !== null && end !== undefined);
  const ends = [...counts, ...last, ...of.estimate.slice(-1).filter((each) => each !== null), -1.5 * effect, 1.5 * effect, 0];
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const room = (high - low || 1) * 0.08;
  return [low - room, high + room];
}

/** Whether an interval is cut off by this range. */
export function cutOff(of: Band, [low, high]: [number, number]): boolean {
  return [...of.earlyLow, ...of.earlyHigh].some((end) => end !== null && (end < low || end > high));
}
