import assert from "node:assert/strict";
import { test } from "node:test";

import { bytes, count, duration, fixed, moment, NONE, percent, probability, rate, significant, utc } from "../src/format.ts";

test("numbers have separators, a true minus and no false digits", () => {
  assert.equal(count(12345.4), "12,345");
  assert.equal(significant(1234.5), "1,230");
  assert.equal(significant(0.012345), "0.0123");
  assert.equal(significant(-2.5, 2), "−2.5");
  assert.equal(significant(-0, 2), "0");
  assert.equal(significant(Number.NaN), NONE);
  assert.equal(fixed(-0.726, 2), "−0.73");
  assert.equal(fixed(-0.001, 2), "0.00");
  assert.equal(percent(0.1234), "12.3 %");
  assert.equal(percent(Number.NaN), NONE);
  assert.equal(probability(null), NONE);
  assert.equal(probability(0.5), "0.500");
});

test("a duration has the unit that fits it", () => {
  const cases: [number, string][] = [
    [0, "0 s"],
    [87.4e-6, "87 µs"],
    [0.00123, "1.23 ms"],
    [0.9999e-3, "1 ms"],
    [0.9999, "1 s"],
    [2.14, "2.1 s"],
    [59.9, "1 min"],
    [180, "3 min"],
    [7500, "2 h 5 min"],
    [7200, "2 h"],
    [49 * 3600, "2 d 1 h"],
    [48 * 3600, "2 d"],
  ];
  for (const [seconds, text] of cases) assert.equal(duration(seconds), text);
});

test("a size has the unit that fits it", () => {
  assert.equal(bytes(512), "512 B");
  assert.equal(bytes(1536), "1.5 KiB");
  assert.equal(bytes(1023.9 * 1024), "1 MiB");
  assert.equal(bytes(210 * 1024 * 1024), "210 MiB");
  assert.equal(bytes(5000 * 1024 ** 3), "5,000 GiB");
});

test("a rate below one a second has one digit", () => {
  assert.equal(rate(0), "0 /s");
  assert.equal(rate(0.0333), "0.03 /s");
  assert.equal(rate(1234.5), "1,230 /s");
});

test("times are in the viewer's zone, and in UTC for the title", () => {
  assert.equal(utc("2026-11-30T13:03:07.123Z"), "2026-11-30 13:03:07 UTC");
  assert.match(moment("2026-11-30T13:03:07Z"), /^2026-1[12]-\d\d \d\d:\d\d$/);
  const local = new Date(2026, 10, 30, 14, 3);
  assert.equal(moment(local), "2026-11-30 14:03");
});
