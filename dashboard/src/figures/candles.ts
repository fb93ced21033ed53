/** Candles of a window as a chart takes them. */
import type { Candle } from "../contract.ts";

export type Bar = { time: number; open: number; high: number; low: number; close: number };

const FIRST_MS = 1e11; // larger numbers are milliseconds, as the server reads them

/** When a candle opened, in seconds since 1970; null without a time. A time that names no zone is in UTC. */
export function openedAt(timestamp: Candle["timestamp"] | null): number | null {
  if (timestamp === undefined || timestamp === null) return null;
  if (typeof timestamp === "number") return timestamp >= FIRST_MS ? timestamp / 1e3 : timestamp;
  const text = timestamp.trim().replace(" ", "T");
  const zoned = /(Z|[+-]\d\d:?\d\d)$/i.test(text) || !text.includes("T") ? text : `${text}Z`;
  const at = Date.parse(zoned);
  return Number.isNaN(at) ? null : at / 1e3;
}

/** Oldest first, one for each time. Without times, the candles have their numbers, from 0, in the order given. */
export function barsOf(candles: readonly Candle[]): { bars: Bar[]; timed: boolean } {
  const times = candles.map((candle) => openedAt(candle.timestamp));
  const timed = candles.length > 0 && times.every((time) => time !== null);
  const bar = ({ open, high, low, close }: Candle, index: number): Bar => ({
    time: timed ? (times[index] as number) : index,
    open,
    high,
    low,
    close,
  });
  const bars = new Map(candles.map((candle, index) => [timed ? (times[index] as number) : index, bar(candle, index)]));
  return { bars: [...bars.values()].sort((a, b) => a.time - b.time), timed };
}

/** Decimals of prices: as many as the most exact one has, but no more than six digits in all, and at least two. */
export function decimalsOf(candles: readonly Candle[]): number {
  const last = candles.slice(-50);
  const most = Math.max(0, ...last.map(({ close }) => (String(close).split(".")[1] ?? "").length));
  const highest = Math.max(1e-8, ...last.map(({ high }) => high));
  return Math.max(2, Math.min(most, 8, 5 - Math.floor(Math.log10(highest))));
}
