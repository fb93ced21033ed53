/** Values for charts. */
import type { Point } from "../contract.ts";

export type Values = (number | null)[];

/** Where an axis of time begins and ends: with its values, but never shorter than `shortest`. uPlot's own proposal widens
 * a single value by a share of it, which makes hours of a time. */
export function axisOf(times: ArrayLike<number>, shortest: number): [from: number, to: number] {
  const to = times[times.length - 1] ?? shortest;
  return [Math.min(times[0] ?? 0, to - shortest), to];
}

/** Seconds since 1970 of the end of each point. */
export function timesOf(points: readonly Point[]): number[] {
  return points.map((point) => Date.parse(point.at) / 1e3);
}

/** Each series on top of those before it: the upper edge of each layer. A missing value counts as nothing. */
export function stack(layers: readonly (readonly (number | null)[])[]): number[][] {
  const edges: number[][] = [];
  for (const layer of layers) {
    const below = edges.at(-1);
    edges.push(layer.map((value, index) => (value ?? 0) + (below?.[index] ?? 0)));
  }
  return edges;
}

/** Points put together in groups of some seconds, so that each has enough answers. The last group may be shorter. */
export function grouped<T extends { at: string; seconds: number }>(points: readonly T[], seconds: number): T[][] {
  const groups = new Map<number, T[]>();
  for (const point of points) {
    // A point belongs to the time that it covers, of which `at` is the end.
    const key = Math.floor((Date.parse(point.at) / 1e3 - point.seconds / 2) / seconds);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [point]);
    else group.push(point);
  }
  return [...groups.entries()].sort(([a], [b]) => a - b).map(([, group]) => group);
}

/** A histogram's shares as steps on an axis of seconds: the lower edge of each bucket, and its share in percent. The
 * first bucket begins, and the last one ends, at half and at twice the bound next to it. */
export function steps(bounds: readonly number[], counts: readonly number[]): { edges: number[]; shares: Values } {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const first = bounds[0] ?? 1;
  const last = bounds.at(-1) ?? 1;
  const edges = [first / 2, ...bounds, last * 2];
  const shares = edges.slice(0, -1).map((_, index) => (total === 0 ? null : (100 * (counts[index] ?? 0)) / total));
  return { edges, shares: [...shares, total === 0 ? null : (shares.at(-1) ?? null)] };
}

/** The part of the edges that holds anything in one of the histograms, with an empty bucket on each side. */
export function filled(histograms: readonly (readonly number[])[], buckets: number): [from: number, to: number] {
  const used = Array.from({ length: buckets }, (_, index) => index).filter((index) =>
    histograms.some((counts) => (counts[index] ?? 0) > 0),
  );
  if (used.length === 0) return [0, buckets];
  return [Math.max(0, (used[0] as number) - 1), Math.min(buckets, (used.at(-1) as number) + 2)];
}
