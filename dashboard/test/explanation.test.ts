import assert from "node:assert/strict";
import { test } from "node:test";

import { bars, range } from "../src/figures/explanation.ts";

type Stage = Parameters<typeof bars>[0];
const stage = (base_value: number, features: Record<string, number>): Stage =>
  ({ probability_of: "reversal", used: true, base_value, value: 0, features, method: "exact", standard_errors: null }) as Stage;

test("bars are sorted by size, and lead from the base value to the probability", () => {
  const found = bars(stage(0.5, { small: 0.125, large: -0.25, middle: 0.1875 }));
  assert.deepEqual(found.map(({ feature }) => feature), ["large", "middle", "small"]);
  assert.deepEqual(found.map(({ from, to }) => [from, to]), [[0.5, 0.25], [0.25, 0.4375], [0.4375, 0.5625]]);
});

test("the small ones are one bar, so that the sum stays", () => {
  const features = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`f${index}`, (index % 2 === 0 ? 1 : -1) / (index + 4)]));
  const found = bars(stage(0.4, features), 8);
  assert.equal(found.length, 9);
  assert.deepEqual([found[8]?.feature, found[8]?.features], [null, 4]);
  const sum = Object.values(features).reduce((all, each) => all + each, 0.4);
  assert.ok(Math.abs((found[8]?.to ?? 0) - sum) < 1e-12);
});

test("one more than the most is shown rather than called one other", () => {
  const found = bars(stage(0.4, { a: 0.1, b: 0.2, c: 0.3 }), 2);
  assert.deepEqual(found.map(({ feature }) => feature), ["c", "b", "a"]);
});

test("the axis has all bars and the threshold, and stays within 0 and 1", () => {
  const [low, high] = range(bars(stage(0.5, { a: 0.1, b: -0.2 })), [0.9]);
  assert.ok(low < 0.3 && low > 0.2);
  assert.ok(high > 0.9 && high <= 1);
  assert.deepEqual(range(bars(stage(0.01, { a: 0.98 })), []), [0, 1]);
});
