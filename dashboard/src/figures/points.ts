/** Points of the stream, put together. */
import type { Counts, Point, SignalWord } from "../contract.ts";

export const WORDS: readonly SignalWord[] = ["long", "short", "hold"];
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** What happened in several points together. `at` is the end of the last one. */
export function sumOf(points: readonly Point[]): Point {
  const sum: Point = { at: "", seconds: 0, answers: {}, errors: {}, warnings: {}, latency: [], phases: {}, runs: 0, fallbacks: 0, abandoned: 0 };
  for (const point of points) {
    sum.at = point.at;
    sum.seconds += point.seconds;
    sum.runs += point.runs;
    sum.fallbacks += point.fallbacks;
    sum.abandoned += point.abandoned;
    addCounts(sum.errors, point.errors);
    addCounts(sum.warnings, point.warnings);
    for (const [version, counts] of Object.entries(point.answers)) {
      const of = (sum.answers[version] ??= {});
      for (const word of WORDS) if (counts[word] !== undefined) of[word] = (of[word] ?? 0) + counts[word];
    }
    for (const [index, count] of point.latency.entries()) sum.latency[index] = (sum.latency[index] ?? 0) + count;
    for (const [phase, { seconds, count }] of Object.entries(point.phases)) {
      const of = (sum.phases[phase] ??= { seconds: 0, count: 0 });
      of.seconds += seconds;
      of.count += count;
    }
  }
  return sum;
}

function addCounts(to: Record<string, number>, counts: Record<string, number>): void {
  for (const [code, count] of Object.entries(counts)) to[code] = (to[code] ?? 0) + count;
}

/** How often each signal was answered, by all versions. */
export function mixOf(point: Point): Required<Counts> {
  const mix = { hold: 0, long: 0, short: 0 };
  for (const counts of Object.values(point.answers)) for (const word of WORDS) mix[word] += counts[word] ?? 0;
  return mix;
}

/** Answers of a point, by all versions. */
export function answersOf(point: Point): number {
  return totalOf(mixOf(point));
}

/** Everything that a record counts. */
export function totalOf(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** The last minute, the hour before it, and the last hour, from completed minutes and from points of two seconds. */
export type Spans = { minute: Point; hourBefore: Point; hour: Point };

export function spansOf(minutes: readonly Point[], recent: readonly Point[]): Spans {
  const end = Math.max(0, ...[...minutes, ...recent].map((point) => Date.parse(point.at)));
  const ends = (point: Point): number => end - Date.parse(point.at);
  const lastMinute = recent.filter((point) => ends(point) < MINUTE_MS);
  const before = minutes.filter((point) => ends(point) >= MINUTE_MS && ends(point) < HOUR_MS + MINUTE_MS);
  const completed = minutes.filter((point) => ends(point) < HOUR_MS);
  const last = Date.parse(minutes.at(-1)?.at ?? "1970-01-01");
  const since = recent.filter((point) => Date.parse(point.at) > last);
  return { minute: sumOf(lastMinute), hourBefore: sumOf(before), hour: sumOf([...completed, ...since]) };
}
