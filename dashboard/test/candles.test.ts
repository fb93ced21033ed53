import assert from "node:assert/strict";
import { test } from "node:test";

import type { Candle } from "../src/contract.ts";
import { barsOf, decimalsOf, openedAt } from "../src/figures/candles.ts";

// A zone other than UTC, so that a time without a zone cannot be right by chance.
process.env["TZ"] = "America/New_York";

const NOON = Date.UTC(2026, 10, 30, 12) / 1e3;
const candle = (close: number, timestamp?: string | number): Candle => ({ open: close, high: close, low: close, close, ...(timestamp === undefined ? {} : { timestamp }) });

test("a time is read as the server reads it", () => {
  assert.equal(openedAt("2026-11-30T12:00:00Z"), NOON);
  assert.equal(openedAt("2026-11-30T14:00:00+02:00"), NOON);
  assert.equal(openedAt("2026-11-30T12:00:00"), NOON); // no zone: UTC, wherever this test runs
  assert.equal(openedAt("2026-11-30 12:00:00"), NOON);
  assert.equal(openedAt("2026-11-30"), NOON - 12 * 3600);
  assert.equal(openedAt(NOON), NOON);
  assert.equal(openedAt(NOON * 1e3), NOON);
  assert.equal(openedAt(undefined), null);
  assert.equal(openedAt("yesterday"), null);
});

test("candles are sorted by their times, one for each", () => {
  const { bars, timed } = barsOf([candle(3, NOON + 3600), candle(1, NOON), candle(2, NOON + 3600)]);
  assert.equal(timed, true);
  assert.deepEqual(bars.map(({ time, close }) => [time, close]), [[NOON, 1], [NOON + 3600, 2]]);
});

test("candles without times have numbers, and keep their order", () => {
  const { bars, timed } = barsOf([candle(3), candle(1)]);
  assert.equal(timed, false);
  assert.deepEqual(bars.map(({ time, close }) => [time, close]), [[0, 3], [1, 1]]);
  assert.deepEqual(barsOf([]), { bars: [], timed: false });
});

test("prices have the decimals that they come with, and six digits at most", () => {
  assert.equal(decimalsOf([candle(1.0958), candle(1.09601)]), 5);
  assert.equal(decimalsOf([candle(1.0944127699)]), 5);
  assert.equal(decimalsOf([candle(151.237)]), 3);
  assert.equal(decimalsOf([candle(42000.123)]), 2);
  assert.equal(decimalsOf([candle(0.00012345)]), 8);
  assert.equal(decimalsOf([candle(7)]), 2);
});
