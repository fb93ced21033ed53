/** What a report's figures mean, in words. */
import type { Schemas } from "../contract.ts";
import { count, fixed, percent } from "../format.ts";
import { effect, value } from "./quantity.ts";

export type Report = Schemas["Report"];
export type Tone = "good" | "bad" | "warn" | "soft";

const RATES: [keyof Schemas["GuardrailLimits"], string, (limit: number) => string][] = [
  ["max_error_rate", "failures and refusals at most", percent],
  ["max_fallback_rate", "fallbacks at most", percent],
  ["max_p99_ms", "99\u00a0% of answers within", (limit) => `${limit} ms`],
  ["min_hold_rate", "share of hold at least", percent],
  ["max_hold_rate", "share of hold at most", percent],
  ["min_win_rate", "win rate at least", percent],
  ["min_mean_pnl", "mean P&L at least", (limit) => `${fixed(limit, 2)} pips`],
];

export const MODES: Record<Schemas["Mode"], string> = { split: "split by user", crossover: "crossover", shadow: "shadow" };
export const METRICS: Record<Schemas["Metric"], string> = { win_rate: "win rate", mean_pnl: "mean P&L" };

/** How a verdict's word is shown. */
export function tone(word: string): Tone {
  if (word.endsWith("better")) return "good";
  if (word === "invalid") return "bad";
  return word === "not yet" ? "warn" : "soft";
}

/** What to do after a verdict. */
export function advice({ verdict, status, variant_a: a, variant_b: b }: Report): string {
  const { word, days_left: days } = verdict;
  if (status === "draft") return "Activate it, to begin counting.";
  if (word === "invalid") return "Its numbers cannot be trusted. Find the mistake below, and start a new experiment under a new id.";
  if (word.endsWith("better")) {
    const better = word.startsWith("B") ? b : a;
    return status === "active" ? `Stop it, and switch to ${better}.` : `Switch to ${better}.`;
  }
  if (word.startsWith("no difference")) return status === "active" ? "Stop it, and keep either version." : "Keep either version.";
  if (status === "stopped") return "It has stopped: only late outcomes and labels can still decide it.";
  return days === null ? "Let it run, and report how the trades end." : `Let it run: about ${lasting(days)} more at the present rate. Look as often as you like.`;
}

/** Days as words: 27 hours, 12 days, 4 years. */
export function lasting(days: number): string {
  if (days < 3) return `${count(Math.max(1, days * 24))} hours`;
  if (days < 730) return `${count(days)} days`;
  return `${count(days / 365.25)} years`;
}

/** How the users were divided, and whether as agreed. */
export function sampleRatio(report: Report): { text: string; tone: Tone } {
  const ratio = report.sample_ratio;
  if (ratio === null) return { text: "Both versions answer every input, so there are no users to divide.", tone: "soft" };
  const what = report.mode === "crossover" ? "blocks of users" : "users";
  const numbers = `A has ${count(ratio.users.A)} ${what} and B ${count(ratio.users.B)}; expected were ${fixed(ratio.expected.A, 1)} and ${fixed(ratio.expected.B, 1)}.`;
  if (ratio.users_in_both > 0) {
    return { text: `${count(ratio.users_in_both)} ${what} had answers of both variants. That makes the comparison invalid. ${numbers}`, tone: "bad" };
  }
  if (ratio.mismatch) {
    return { text: `The ${what} were not divided as agreed, and chance does not explain it: one variant loses requests. ${numbers}`, tone: "bad" };
  }
  if (ratio.users.A + ratio.users.B === 0) return { text: `There are no ${what} yet.`, tone: "soft" };
  return { text: `As agreed, as far as chance allows. ${numbers}`, tone: "good" };
}

/** Whether outcomes are reported as often for A as for B. */
export function reporting(report: Report): { text: string; tone: Tone } {
  const found = report.reporting;
  if (found === null) return { text: "Not looked at: results come from labels, or both versions share their trades.", tone: "soft" };
  const { A, B } = found;
  if (A.estimate === null && B.estimate === null) return { text: "No trade is old enough yet: a trade counts 48 candles after it began.", tone: "soft" };
  const numbers = `${value(A, "rate")} of A's trades and ${value(B, "rate")} of B's have a reported outcome.`;
  if (found.differs) return { text: `One variant's outcomes are reported less often, and chance does not explain it. ${numbers}`, tone: "bad" };
  return { text: numbers, tone: found.valid ? "good" : "soft" };
}

/** Requests that were no part of the experiment. */
export function beside({ without_user: anonymous, named_version: named }: Schemas["Beside"]): string {
  if (anonymous + named === 0) return "Every request took part.";
  const parts: string[] = [];
  if (anonymous > 0) parts.push(`${count(anonymous)} ${anonymous === 1 ? "request" : "requests"} without a user`);
  if (named > 0) parts.push(`${count(named)} that named a version`);
  return `${parts.join(" and ")} took no part.`;
}

/** The limits of an experiment as words. */
export function guardrails(limits: Schemas["GuardrailLimits"]): string[] {
  return RATES.flatMap(([name, text, shown]) => {
    const limit = limits[name];
    return limit === undefined || limit === null ? [] : [`${text} ${shown(limit)}`];
  });
}

/** How users are divided, in one line. */
export function division({ mode, traffic_split: share, variant_a: a, variant_b: b }: Schemas["Experiment"] | Report): string {
  if (mode === "shadow") return `${a} answers, ${b} is computed beside it`;
  return `${percent(share, 0)} of the ${mode === "crossover" ? "blocks of users" : "users"} get ${a}, the others ${b}`;
}

/** What the verdict is about. */
export function question({ metric, minimum_effect: least, variant_a: a, variant_b: b }: Schemas["Experiment"] | Report): string {
  return `Is ${b} (B) better than ${a} (A) by ${METRICS[metric]}? Differences below ${effect(least, metric)} do not matter.`;
}

/** The metric's estimate of a variant. */
export function main(report: Report, variant: "A" | "B"): Schemas["SourcedEstimate"] {
  return report.variants[variant][report.metric];
}

