import assert from "node:assert/strict";
import { test } from "node:test";

import type { Point, Signal, SignalWord } from "../src/contract.ts";
import { ALL, answered, choices, isFiltered, mixOfPoints, mixOfSignals, newest, sharesOf } from "../src/figures/listed.ts";

function signal(second: number, pair: string, timeframe: string, word: SignalWord): Signal {
  return { at: new Date(second * 1e3).toISOString(), pair, timeframe, signal: word } as Signal;
}

const SIGNALS = [
  signal(1, "EUR/USD", "1h", "hold"),
  signal(2, "USD/JPY", "1h", "long"),
  signal(25, "EUR/USD", "4h", "short"),
  signal(26, "EUR/USD", "1h", "long"),
];

test("the newest come first, and no more than asked for", () => {
  assert.deepEqual(newest(SIGNALS, ALL, 2), [SIGNALS[3], SIGNALS[2]]);
  assert.deepEqual(newest(SIGNALS, { ...ALL, pair: "EUR/USD" }, 9), [SIGNALS[3], SIGNALS[2], SIGNALS[0]]);
  assert.deepEqual(newest(SIGNALS, { pair: "EUR/USD", timeframe: "1h", signal: "hold" }, 9), [SIGNALS[0]]);
  assert.deepEqual(newest(SIGNALS, { ...ALL, signal: "none" }, 9), []);
});

test("a filter offers each value once, in order", () => {
  assert.deepEqual(choices(SIGNALS, "pair"), ["EUR/USD", "USD/JPY"]);
  assert.deepEqual(choices(SIGNALS, "timeframe"), ["1h", "4h"]);
  assert.equal(isFiltered(ALL), false);
  assert.equal(isFiltered({ ...ALL, timeframe: "1h" }), true);
});

test("the mix of the listed answers has a span for each ten seconds, empty ones too", () => {
  const mix = mixOfSignals(SIGNALS, { ...ALL, pair: "EUR/USD" }, 10);
  assert.deepEqual(mix, { times: [10, 20, 30], counts: { long: [0, 0, 1], short: [0, 0, 1], hold: [1, 0, 0] } });
  assert.deepEqual(sharesOf(mix), { long: [0, null, 50], short: [0, null, 50], hold: [100, null, 0] });
  assert.deepEqual(answered(mix), { times: [10, 30], counts: { long: [0, 1], short: [0, 1], hold: [1, 0] } });
  assert.deepEqual(mixOfSignals([], ALL, 10).times, []);
});

test("the mix of the points counts all answers", () => {
  const point = {
    at: "1970-01-01T00:01:00Z",
    answers: { a: { hold: 3 }, b: { hold: 1, long: 4 } },
  } as unknown as Point;
  assert.deepEqual(mixOfPoints([point]), { times: [60], counts: { long: [4], short: [0], hold: [4] } });
});
