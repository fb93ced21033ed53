/** An explanation as bars: from the base value, feature by feature, to the probability. */
import type { Schemas } from "../contract.ts";

type Stage = Schemas["Explanation"]["stage1"] | NonNullable<Schemas["Explanation"]["stage2"]>;

/** One bar. It goes from `from` to `to`, both probabilities; `feature` is null for the sum of the small ones. */
export type Bar = { feature: string | null; effect: number; from: number; to: number; features: number };

/** The bars of a stage, the largest effect first. Those after the first `most` are one bar at the end. */
export function bars(stage: Stage, most = 8): Bar[] {
  const sorted = Object.entries(stage.features).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  const kept = sorted.length <= most + 1 ? sorted : sorted.slice(0, most);
  const rest = sorted.slice(kept.length);
  const found: Bar[] = [];
  let at = stage.base_value;
  const add = (feature: string | null, effect: number, features: number): void => {
    found.push({ feature, effect, from: at, to: at + effect, features });
    at += effect;
  };
  for (const [feature, effect] of kept) add(feature, effect, 1);
  if (rest.length > 0) add(null, rest.reduce((sum, [, effect]) => sum + effect, 0), rest.length);
  return found;
}

/** The part of the axis from 0 to 1 that the bars need, with some room, and always with `marks` in it. */
export function range(found: readonly Bar[], marks: readonly number[]): [low: number, high: number] {
  const all = [...found.flatMap((bar) => [bar.from, bar.to]), ...marks];
  const low = Math.min(...all);
  const high = Math.max(...all);
  const room = Math.max(0.02, (high - low) * 0.06);
  return [Math.max(0, low - room), Math.min(1, high + room)];
}
