/** How the time of a prediction is split. */
import type { Point } from "../contract.ts";

/** One phase. `mean`: seconds of it in a prediction; `ran`: seconds each time that it ran; both null if unknown. */
export type Phase = { name: string; mean: number | null; ran: number | null; share: number | null };

/** The phases in their order. A phase that runs only sometimes, such as Stage 2, has a smaller mean than its runs. */
export function phasesOf(names: readonly string[], point: Point): Phase[] {
  // Every prediction has each of the first phases, so that the most frequent one counts the predictions.
  const predictions = Math.max(0, ...Object.values(point.phases).map(({ count }) => count));
  const total = Object.values(point.phases).reduce((sum, { seconds }) => sum + seconds, 0);
  return names.map((name) => {
    const { seconds, count } = point.phases[name] ?? { seconds: 0, count: 0 };
    return {
      name,
      mean: predictions === 0 ? null : seconds / predictions,
      ran: count === 0 ? null : seconds / count,
      share: total === 0 ? null : seconds / total,
    };
  });
}

/** Seconds of all phases of a prediction; null if nothing was predicted. */
export function wholeOf(phases: readonly Phase[]): number | null {
  return phases.some(({ mean }) => mean !== null) ? phases.reduce((sum, { mean }) => sum + (mean ?? 0), 0) : null;
}

/** Predictions that one run of the model answered, on average; null if it did not run. */
export function batchOf(answers: number, runs: number): number | null {
  return runs === 0 ? null : answers / runs;
}
