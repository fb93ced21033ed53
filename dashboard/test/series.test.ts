import assert from "node:assert/strict";
import { test } from "node:test";

import { axisOf, filled, grouped, stack, steps, timesOf } from "../src/figures/series.ts";

test("layers lie on top of each other, and a gap has no height", () => {
  assert.deepEqual(
    stack([
      [1, 2],
      [3, null],
      [5, 6],
    ]),
    [
      [1, 2],
      [4, 2],
      [9, 8],
    ],
  );
  assert.deepEqual(stack([]), []);
});

test("points are grouped by the time that they cover", () => {
  const at = (second: number): { at: string; seconds: number } => ({
    at: new Date(second * 1e3).toISOString(),
    seconds: 2,
  });
  // The point that ends at 10 s belongs to the first ten seconds.
  const groups = grouped([at(8), at(10), at(12), at(32)], 10);
  assert.deepEqual(
    groups.map((group) => group.length),
    [2, 1, 1],
  );
});

test("a histogram becomes steps in percent", () => {
  const { edges, shares } = steps([0.1, 0.2], [1, 2, 1]);
  assert.deepEqual(edges, [0.05, 0.1, 0.2, 0.4]);
  assert.deepEqual(shares, [25, 50, 25, 25]);
  assert.deepEqual(steps([0.1, 0.2], []).shares, [null, null, null, null]);
});

test("only the filled part of the histograms is shown, with a bucket on each side", () => {
  assert.deepEqual(filled([[0, 0, 0, 5, 0, 0, 0], []], 7), [2, 5]);
  assert.deepEqual(filled([[0, 0, 0, 5, 0, 0, 0], [1]], 7), [0, 5]);
  assert.deepEqual(filled([[], [0, 0, 3]], 3), [1, 3]);
  assert.deepEqual(filled([[], []], 4), [0, 4]);
});

test("times are in seconds", () => {
  const point = { at: "2026-11-30T12:00:00Z" } as Parameters<typeof timesOf>[0][number];
  assert.deepEqual(timesOf([point]), [Date.UTC(2026, 10, 30, 12) / 1e3]);
});

test("an axis of time ends with the last value, and one value alone has the shortest axis", () => {
  assert.deepEqual(axisOf([1_800_000_000], 1200), [1_799_998_800, 1_800_000_000]);
  assert.deepEqual(axisOf([100, 160], 1200), [-1040, 160]);
  assert.deepEqual(axisOf([100, 5000], 1200), [100, 5000]);
  assert.deepEqual(axisOf([], 1200), [0, 1200]);
});
