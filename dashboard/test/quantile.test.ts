import assert from "node:assert/strict";
import { test } from "node:test";

import { approximately, approximatelyWithin, fewestFor, quantile } from "../src/figures/quantile.ts";

const BOUNDS = [0.0001, 0.0002, 0.0005, 0.001];

test("a quantile lies on a straight line inside its bucket", () => {
  // 100 answers: 50 up to 0.1 ms, 50 from 0.1 to 0.2 ms.
  const counts = [50, 50, 0, 0, 0];
  assert.equal(quantile(0.5, BOUNDS, counts)?.value, 0.0001);
  const p75 = quantile(0.75, BOUNDS, counts);
  assert.ok(Math.abs((p75?.value ?? 0) - 0.00015) < 1e-12);
  assert.deepEqual([p75?.low, p75?.high], [0.0001, 0.0002]);
});

test("an empty bucket is passed over", () => {
  const p99 = quantile(0.99, BOUNDS, [90, 0, 0, 10, 0]);
  assert.deepEqual([p99?.low, p99?.high], [0.0005, 0.001]);
});

test("above the last bound only the bound is known", () => {
  const p99 = quantile(0.99, BOUNDS, [0, 0, 0, 0, 200]);
  assert.equal(p99?.high, Number.POSITIVE_INFINITY);
  assert.equal(approximately(p99), "> 1 ms");
});

test("too few answers give no quantile", () => {
  assert.equal(fewestFor(0.5), 10);
  assert.equal(fewestFor(0.95), 20);
  assert.equal(fewestFor(0.99), 100);
  assert.equal(quantile(0.99, BOUNDS, [99, 0, 0, 0, 0]), null);
  assert.notEqual(quantile(0.99, BOUNDS, [100, 0, 0, 0, 0]), null);
  assert.equal(quantile(0.5, BOUNDS, []), null);
  assert.equal(approximately(null), "–");
});

test("an estimate is not said more exactly than its bucket supports", () => {
  assert.equal(approximately({ value: 0.000347, low: 0.0003, high: 0.0005 }), "≈ 0.3 ms");
  // A bucket from 100 to 102 ms supports two digits, one from 100 to 250 ms does not.
  assert.equal(approximately({ value: 0.1234, low: 0.122, high: 0.124 }), "≈ 120 ms");
  assert.equal(approximately({ value: 0.1634, low: 0.1, high: 0.25 }), "≈ 200 ms");
  assert.equal(approximately({ value: 0.0124, low: 0.012, high: 0.013 }), "≈ 12 ms");
});

test("a value finds the bucket that it was estimated from", () => {
  assert.equal(approximatelyWithin(0.000347, BOUNDS), "≈ 0.3 ms");
  assert.equal(approximatelyWithin(0.001, BOUNDS), "> 1 ms");
  assert.equal(approximatelyWithin(0.00004, BOUNDS), "≈ 0.04 ms");
});
