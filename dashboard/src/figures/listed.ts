/** Which of the listed answers are shown, and what they are made of. */
import type { Point, Signal, SignalWord } from "../contract.ts";
import { mixOf, WORDS } from "./points.ts";

/** An empty text means all. */
export type Filter = { pair: string; timeframe: string; signal: string };

export const ALL: Filter = { pair: "", timeframe: "", signal: "" };

export function isFiltered(filter: Filter): boolean {
  return filter.pair !== "" || filter.timeframe !== "" || filter.signal !== "";
}

export function passes(signal: Signal, { pair, timeframe, signal: word }: Filter): boolean {
  return (
    (pair === "" || signal.pair === pair) &&
    (timeframe === "" || signal.timeframe === timeframe) &&
    (word === "" || signal.signal === word)
  );
}

/** The newest answers that pass, newest first. */
export function newest(signals: readonly Signal[], filter: Filter, most: number): Signal[] {
  const found: Signal[] = [];
  for (let index = signals.length - 1; index >= 0 && found.length < most; index -= 1) {
    const signal = signals[index] as Signal;
    if (passes(signal, filter)) found.push(signal);
  }
  return found;
}

/** The values that a filter offers, in order. */
export function choices(signals: readonly Signal[], field: "pair" | "timeframe"): string[] {
  return [...new Set(signals.map((signal) => signal[field]))].sort();
}

/** Signals over time: the end of each span in seconds since 1970, and the number of each signal. */
export type Mix = { times: number[]; counts: Record<SignalWord, number[]> };

/** The mix of all answers, from the counts of the points. */
export function mixOfPoints(points: readonly Point[]): Mix {
  const mixes = points.map(mixOf);
  const of = (word: SignalWord): number[] => mixes.map((mix) => mix[word]);
  return {
    times: points.map((point) => Date.parse(point.at) / 1e3),
    counts: { long: of("long"), short: of("short"), hold: of("hold") },
  };
}

/** The mix of the listed answers that pass, in spans of some seconds. A span without answers has zeros. */
export function mixOfSignals(signals: readonly Signal[], filter: Filter, seconds: number): Mix {
  const mix: Mix = { times: [], counts: { long: [], short: [], hold: [] } };
  const found = signals.filter((signal) => passes(signal, filter));
  if (found.length === 0) return mix;
  const spans = found.map((signal) => Math.floor(Date.parse(signal.at) / 1e3 / seconds));
  const first = Math.min(...spans);
  const length = Math.max(...spans) - first + 1;
  mix.times = Array.from({ length }, (_, index) => (first + index + 1) * seconds);
  for (const word of WORDS) mix.counts[word] = new Array<number>(length).fill(0);
  for (const [index, signal] of found.entries()) {
    const counts = mix.counts[signal.signal];
    const at = (spans[index] as number) - first;
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return mix;
}

/** A mix without the spans in which nothing was answered: they have no mix, and as 0 % they would look like one. */
export function answered(mix: Mix): Mix {
  const kept = (_: unknown, index: number): boolean => WORDS.some((word) => (mix.counts[word][index] ?? 0) > 0);
  const { long, short, hold } = mix.counts;
  return {
    times: mix.times.filter(kept),
    counts: { long: long.filter(kept), short: short.filter(kept), hold: hold.filter(kept) },
  };
}

/** Each signal's share in percent, in each span; null where nothing was answered. */
export function sharesOf(mix: Mix): Record<SignalWord, (number | null)[]> {
  const share = (word: SignalWord): (number | null)[] =>
    mix.times.map((_, index) => {
      const total = WORDS.reduce((sum, each) => sum + (mix.counts[each][index] ?? 0), 0);
      return total === 0 ? null : (100 * (mix.counts[word][index] ?? 0)) / total;
    });
  return { long: share("long"), short: share("short"), hold: share("hold") };
}
