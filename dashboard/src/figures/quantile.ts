/** Quantiles that are estimated from the counts of a histogram, and said only as exactly as its buckets support. */
import { NONE, significant } from "../format.ts";

/** An estimate, in seconds, and the bucket that it lies in. */
export type Estimate = { value: number; low: number; high: number };

/** Fewest answers for a quantile: at least one of them must be expected beyond it, and ten in all. */
export function fewestFor(share: number): number {
  return Math.max(10, Math.ceil(1 / (1 - share) - 1e-9));
}

/** A quantile by a straight line inside its bucket. `counts` has one number more than `bounds`, for what is above the
 * last bound. Null where there are too few answers. */
export function quantile(share: number, bounds: readonly number[], counts: readonly number[]): Estimate | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total < fewestFor(share)) return null;
  const rank = share * total;
  let below = 0;
  for (const [index, count] of counts.entries()) {
    if (count > 0 && below + count >= rank) {
      const low = index === 0 ? 0 : (bounds[index - 1] ?? 0);
      const high = bounds[index] ?? Number.POSITIVE_INFINITY;
      const value = Number.isFinite(high) ? low + ((high - low) * (rank - below)) / count : low;
      return { value, low, high };
    }
    below += count;
  }
  return null;
}

/** An estimate in milliseconds. It has a second digit only where that is no finer than a quarter of its bucket. */
export function approximately(estimate: Estimate | null): string {
  if (estimate === null) return NONE;
  const { value, low, high } = estimate;
  if (!Number.isFinite(high)) return `> ${inMs(low, 2)}`;
  const step = 10 ** (Math.floor(Math.log10(value)) - 1);
  return `≈ ${inMs(value, step >= (high - low) / 4 ? 2 : 1)}`;
}

/** A value of which the histogram's bounds are known, but no longer the bucket. */
export function approximatelyWithin(value: number, bounds: readonly number[]): string {
  const above = bounds.findIndex((bound) => bound >= value);
  // A value that is the last bound stands for all that is above it.
  const beyond = above < 0 || above === bounds.length - 1 && value === bounds[above];
  const high = beyond ? Number.POSITIVE_INFINITY : (bounds[above] as number);
  return approximately({ value, low: beyond ? value : (bounds[above - 1] ?? 0), high });
}

function inMs(seconds: number, digits: number): string {
  return `${significant(seconds * 1e3, digits)} ms`;
}
