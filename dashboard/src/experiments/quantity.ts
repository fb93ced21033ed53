/** The numbers of a report as text: in the metric's unit, rounded to two significant digits of half their interval. */
import type { Schemas } from "../contract.ts";
import { fixed, NONE } from "../format.ts";

export type Kind = "rate" | "pips" | "plain";
type Estimate = { estimate: number | null; interval: number[] | null; valid: boolean };

export const KINDS: Record<Schemas["Metric"], Kind> = { win_rate: "rate", mean_pnl: "pips" };
const FACTORS: Record<Kind, number> = { rate: 100, pips: 1, plain: 1 };
const UNITS: Record<Kind, [string, string]> = { rate: [" %", " points"], pips: [" pips", " pips"], plain: ["", ""] };
const FEW = 2;

/** How many decimals an interval supports. */
export function decimals(interval: number[] | null, factor = 1): number {
  if (interval === null || interval.length < 2) return FEW;
  const half = (Math.abs((interval[1] as number) - (interval[0] as number)) / 2) * factor;
  if (!(half > 0)) return FEW;
  return Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(half))));
}

const signed = (value: number, digits: number): string => (value > 0 && Number(value.toFixed(digits)) !== 0 ? "+" : "") + fixed(value, digits);

/** A value with its unit: 47.8 %; a difference with its sign: +17.0 points. */
export function value({ estimate, interval }: Estimate, kind: Kind, difference = false): string {
  if (estimate === null) return NONE;
  const factor = FACTORS[kind];
  const digits = decimals(interval, factor);
  const text = difference ? signed(estimate * factor, digits) : fixed(estimate * factor, digits);
  return text + UNITS[kind][difference ? 1 : 0];
}

/** The interval without a unit: 41.0 to 54.5. Empty where there is none. */
export function interval({ interval: ends }: Estimate, kind: Kind, difference = false): string {
  if (ends === null || ends.length < 2) return "";
  const factor = FACTORS[kind];
  const digits = decimals(ends, factor);
  const [low, high] = ends.map((end) => (difference ? signed(end * factor, digits) : fixed(end * factor, digits)));
  return `${low} to ${high}`;
}

/** Value and interval in one: 47.8 % (41.0 to 54.5; not yet valid). */
export function whole(estimate: Estimate, kind: Kind, difference = false): string {
  const ends = interval(estimate, kind, difference);
  const note = estimate.valid || estimate.estimate === null ? "" : "; not yet valid";
  return value(estimate, kind, difference) + (ends === "" ? "" : ` (${ends}${note})`);
}

/** A smallest difference of interest: 2 points, 0.5 pips. */
export function effect(size: number, metric: Schemas["Metric"]): string {
  const kind = KINDS[metric];
  const shown = Number((size * FACTORS[kind]).toPrecision(6));
  return `${shown}${UNITS[kind][1]}`;
}
