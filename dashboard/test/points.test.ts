import assert from "node:assert/strict";
import { test } from "node:test";

import type { Point } from "../src/contract.ts";
import { codeRows, kindOf, meaningOf, numberOf } from "../src/figures/codes.ts";
import { batchOf, phasesOf, wholeOf } from "../src/figures/phases.ts";
import { answersOf, mixOf, spansOf, sumOf, totalOf } from "../src/figures/points.ts";

const NOON = Date.UTC(2026, 10, 30, 12);

function point(secondsAfterNoon: number, seconds: number, more: Partial<Point> = {}): Point {
  const at = new Date(NOON + secondsAfterNoon * 1e3).toISOString();
  return { at, seconds, answers: {}, errors: {}, warnings: {}, latency: [], phases: {}, runs: 0, fallbacks: 0, abandoned: 0, ...more };
}

test("a sum has all counts of its points, and the end of the last one", () => {
  const first = point(2, 2, { answers: { a: { long: 2, hold: 1 } }, errors: { INTERNAL: 1 }, latency: [1, 2], phases: { parse: { seconds: 0.5, count: 2 } }, runs: 2 });
  const second = point(4, 2, { answers: { a: { long: 1 }, b: { short: 4 } }, errors: { INTERNAL: 2, OVERLOADED: 5 }, warnings: { SPACING: 1 }, latency: [0, 3, 4], phases: { parse: { seconds: 1, count: 1 }, encode: { seconds: 2, count: 3 } }, runs: 1, fallbacks: 2, abandoned: 3 });
  assert.deepEqual(sumOf([first, second]), {
    at: second.at,
    seconds: 4,
    answers: { a: { long: 3, hold: 1 }, b: { short: 4 } },
    errors: { INTERNAL: 3, OVERLOADED: 5 },
    warnings: { SPACING: 1 },
    latency: [1, 5, 4],
    phases: { parse: { seconds: 1.5, count: 3 }, encode: { seconds: 2, count: 3 } },
    runs: 3,
    fallbacks: 2,
    abandoned: 3,
  });
});

test("a sum leaves its points as they are", () => {
  const first = point(2, 2, { answers: { a: { long: 2 } }, phases: { parse: { seconds: 1, count: 1 } }, latency: [1] });
  const before = structuredClone(first);
  sumOf([first, first]);
  assert.deepEqual(first, before);
});

test("the mix is over all versions", () => {
  const of = point(0, 1, { answers: { a: { long: 2, hold: 1 }, b: { long: 1, short: 5 } } });
  assert.deepEqual(mixOf(of), { hold: 1, long: 3, short: 5 });
  assert.equal(answersOf(of), 9);
  assert.equal(totalOf({}), 0);
});

test("the last minute and the hour before do not overlap", () => {
  // 120 completed minutes with one answer each, then half a minute in steps of two seconds with one answer each.
  const one = { answers: { a: { hold: 1 } } };
  const minutes = Array.from({ length: 120 }, (_, index) => point((index - 119) * 60, 60, one));
  const recent = Array.from({ length: 60 }, (_, index) => point((index - 44) * 2, 2, one));
  const spans = spansOf(minutes, recent);
  assert.equal(spans.minute.seconds, 60);
  assert.equal(answersOf(spans.minute), 30);
  // The minute that ended at noon is half in the last minute, which began at 11:59:30.
  assert.equal(answersOf(spans.hourBefore), 60);
  assert.ok(Date.parse(spans.hourBefore.at) <= NOON + 30_000 - 60_000);
  // Minutes after 11:00:30, and the 15 points since noon.
  assert.equal(answersOf(spans.hour), 60 + 15);
});

test("without points the spans are empty", () => {
  const { minute, hourBefore, hour } = spansOf([], []);
  assert.deepEqual([minute.seconds, hourBefore.seconds, hour.seconds], [0, 0, 0]);
});

test("codes are errors, refusals or warnings, in this order, the most frequent first", () => {
  const minute = point(0, 60, { errors: { VALIDATION_ERROR: 2 }, warnings: { SPACING: 1 } });
  const hour = point(0, 3600, { errors: { VALIDATION_ERROR: 5, OVERLOADED: 9, INTERNAL: 1 }, warnings: { SPACING: 7 } });
  assert.deepEqual(codeRows(minute, hour), [
    { code: "INTERNAL", kind: "error", minute: 0, hour: 1 },
    { code: "OVERLOADED", kind: "refusal", minute: 0, hour: 9 },
    { code: "VALIDATION_ERROR", kind: "refusal", minute: 2, hour: 5 },
    { code: "SPACING", kind: "warning", minute: 1, hour: 7 },
  ]);
  assert.equal(numberOf("refusal", hour), 14);
  assert.equal(numberOf("error", hour), 1);
  assert.equal(numberOf("warning", hour), 7);
});

test("a code without a known meaning is still told apart", () => {
  assert.equal(meaningOf("SOMETHING_NEW"), "");
  assert.equal(kindOf("SOMETHING_NEW", "errors"), "refusal");
  assert.equal(kindOf("INTERNAL", "warnings"), "warning");
});

test("the mean of a phase that runs seldom is over all predictions", () => {
  const of = point(0, 60, { phases: { parse: { seconds: 0.04, count: 100 }, stage2: { seconds: 0.006, count: 30 } } });
  const [parse, stage2, encode] = phasesOf(["parse", "stage2", "encode"], of);
  assert.deepEqual(parse, { name: "parse", mean: 0.0004, ran: 0.0004, share: 0.04 / 0.046 });
  assert.equal(stage2?.mean, 0.00006);
  assert.equal(stage2?.ran, 0.0002);
  assert.equal(encode?.mean, 0);
  assert.equal(encode?.ran, null);
  assert.ok(Math.abs((wholeOf([parse!, stage2!, encode!]) ?? 0) - 0.00046) < 1e-12);
});

test("without predictions there is no mean", () => {
  const phases = phasesOf(["parse"], point(0, 60));
  assert.deepEqual(phases, [{ name: "parse", mean: null, ran: null, share: null }]);
  assert.equal(wholeOf(phases), null);
  assert.equal(batchOf(0, 0), null);
  assert.equal(batchOf(9, 3), 3);
});
