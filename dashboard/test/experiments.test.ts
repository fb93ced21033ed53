import assert from "node:assert/strict";
import { test } from "node:test";

import { band, cutOff, range } from "../src/charts/band_series.ts";
import { activating } from "../src/experiments/actions.ts";
import { body, idOf, placed } from "../src/experiments/fields.ts";
import { decimals, effect, interval, value, whole } from "../src/experiments/quantity.ts";
import { advice, beside, guardrails, lasting, reporting, sampleRatio, tone } from "../src/experiments/words.ts";
import { sentence } from "../src/parts/shown.ts";

const look = (at: string, estimate: number | null, ends: number[] | null, valid: boolean) => ({ at, estimate, interval: ends, candles: 1, valid, word: "not yet" });
const HISTORY = [
  look("2026-01-01T00:00:00Z", null, null, false),
  look("2026-01-02T00:00:00Z", 0.1, [-0.8, 1], false),
  look("2026-01-03T00:00:00Z", 0.05, [-0.02, 0.12], true),
  look("2026-01-04T00:00:00Z", 0.04, [0.01, 0.06], true),
];

test("a history becomes columns: what counts apart from what does not yet, without a gap between them", () => {
  const found = band(HISTORY, 100);
  assert.deepEqual(found.times, [1767312000, 1767398400, 1767484800]);
  assert.deepEqual(found.estimate, [10, 5, 4]);
  assert.deepEqual(found.low, [null, -2, 1]);
  assert.deepEqual(found.high, [null, 12, 6]);
  assert.deepEqual(found.earlyLow, [-80, -2, null]);
  assert.deepEqual(found.earlyHigh, [100, 12, null]);
});

test("the frame holds what counts, zero and the smallest difference, and cuts off the first intervals", () => {
  const found = band(HISTORY, 100);
  const [low, high] = range(found, 2);
  assert.ok(low < -3 && low > -10 && high > 12 && high < 20, `${low} to ${high}`);
  assert.equal(cutOff(found, [low, high]), true);
  assert.ok(range(band(HISTORY.slice(3), 100), 2)[0] < -2, "the smallest difference is in the frame on both sides");
  const early = band(HISTORY.slice(0, 2), 100);
  assert.ok(range(early, 2)[1] >= 100);
  assert.equal(cutOff(early, range(early, 2)), false);
  assert.ok(Number.isFinite(range(band([], 100), 2)[0]));
});

test("a body has numbers as numbers, leaves out what is empty, and nests guardrails", () => {
  const values = new Map([["name", " A "], ["traffic_split", "0,5"], ["owner", " "], ["minimum_effect", "abc"], ["guardrails.max_p99_ms", "20"], ["guardrails.min_win_rate", "0.4"]]);
  assert.deepEqual(body(values, new Set(["traffic_split", "minimum_effect", "guardrails.max_p99_ms", "guardrails.min_win_rate"])), {
    name: "A",
    traffic_split: 0.5,
    minimum_effect: "abc",
    guardrails: { max_p99_ms: 20, min_win_rate: 0.4 },
  });
});

test("each complaint is at its field, and what belongs to none is kept", () => {
  const names = ["name", "guardrails.max_error_rate", "stop_at"];
  const { at, rest } = placed(
    [
      { path: "guardrails.max_error_rate", message: "one" },
      { path: "name", message: "two" },
      { path: "name", message: "three" },
      { path: "named", message: "four" },
      { path: "guardrails.x", message: "five" },
      { path: "", message: "six" },
    ],
    names,
  );
  assert.deepEqual([...at], [["guardrails.max_error_rate", "one"], ["name", "two; three"]]);
  assert.deepEqual(rest, ["named: four", "guardrails.x: five", "six"]);
});

test("an id is made of a name", () => {
  assert.equal(idOf("v3.0 against v3.1, für Ünal!"), "v3.0_against_v3.1_fu_r_u_nal");
  assert.equal(idOf(" ..x"), "x");
});

test("numbers are rounded to two significant digits of half their interval, with sign and unit", () => {
  assert.equal(decimals([0.4, 0.468], 100), 1);
  const found = { estimate: 0.5213841, interval: [0.487, 0.555], valid: true };
  assert.equal(value(found, "rate"), "52.1 %");
  assert.equal(interval({ ...found, estimate: -0.01, interval: [-0.0367, 0.016] }, "rate", true), "−3.7 to +1.6");
  assert.equal(value({ estimate: 0.17, interval: [0.05, 0.29], valid: false }, "rate", true), "+17 points");
  assert.equal(whole({ estimate: 2.8, interval: [1.5, 4.1], valid: false }, "pips"), "2.8 pips (1.5 to 4.1; not yet valid)");
  assert.equal(value({ estimate: null, interval: null, valid: false }, "rate"), "–");
  assert.equal(effect(0.02, "win_rate"), "2 points");
  assert.equal(effect(0.5, "mean_pnl"), "0.5 pips");
});

const report = (more: object) => ({ status: "active", mode: "split", variant_a: "v1", variant_b: "v2", verdict: { word: "not yet", days_left: null }, ...more }) as never;

test("what to do follows from the verdict", () => {
  assert.equal(advice(report({ verdict: { word: "B better", days_left: null } })), "Stop it, and switch to v2.");
  assert.equal(advice(report({ status: "stopped", verdict: { word: "A better", days_left: null } })), "Switch to v1.");
  assert.match(advice(report({ verdict: { word: "invalid", days_left: null } })), /cannot be trusted/);
  assert.match(advice(report({ verdict: { word: "not yet", days_left: 1.125 } })), /about 27 hours more/);
  assert.equal(tone("B better"), "good");
  assert.equal(tone("invalid"), "bad");
  assert.equal(lasting(12.4), "12 days");
});

test("sample ratio, reporting and requests beside it in words", () => {
  const ratio = { users: { A: 56, B: 64 }, expected: { A: 60, B: 60 }, users_in_both: 0, mismatch: false };
  assert.equal(sampleRatio(report({ sample_ratio: ratio })).tone, "good");
  assert.match(sampleRatio(report({ sample_ratio: { ...ratio, mismatch: true } })).text, /not divided as agreed.*A has 56 users and B 64; expected were 60\.0 and 60\.0/);
  assert.match(sampleRatio(report({ sample_ratio: { ...ratio, users_in_both: 1 } })).text, /both variants.*invalid/);
  assert.equal(sampleRatio(report({ sample_ratio: null })).tone, "soft");
  const share = (estimate: number) => ({ estimate, interval: null, valid: true });
  assert.equal(reporting(report({ reporting: { A: share(0.9), B: share(0.5), differs: true, valid: true } })).tone, "bad");
  assert.equal(beside({ without_user: 1, named_version: 2 }), "1 request without a user and 2 that named a version took no part.");
  assert.deepEqual(guardrails({ max_error_rate: 0.05, min_win_rate: null }), ["failures and refusals at most 5.0 %"]);
});

test("activating says which experiment is stopped, and that too few candles are unfair", () => {
  const models = { active_version: "v3", versions: { v1: { loaded: true, required_candles: 46 }, v2: { loaded: false, required_candles: 100 } } } as never;
  const said = activating({ experiment_id: "new", mode: "shadow", variant_a: "v1", variant_b: "v2", guardrails: {} } as never, { experiment_id: "old" } as never, models).join("\n");
  assert.match(said, /The running experiment old is stopped\. It cannot be resumed/);
  assert.match(said, /v2 will be loaded first/);
  assert.match(said, /replaces the active v3/);
  assert.match(said, /send at least 100/);
});

test("the server's sentences get a capital letter, a full stop and a real minus", () => {
  assert.equal(sentence("the win rate is -1.0 points, interval -3.7 to +1.6"), "The win rate is −1.0 points, interval −3.7 to +1.6.");
  assert.equal(sentence("v3.0 is active."), "v3.0 is active.");
  assert.equal(sentence("max_p99_ms: must be positive"), "max_p99_ms: must be positive.");
});
