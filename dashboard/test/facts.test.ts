import assert from "node:assert/strict";
import { test } from "node:test";

import { effects, forbidden } from "../src/models/actions.ts";
import { labelRule, mainScores, notFor, parity, scores, tiny, training, type Model } from "../src/models/facts.ts";
import { agreement } from "../src/models/compared.ts";

const WITH = { 2019: { auc: [0.7, 0.6, 0.8] }, 2020: { auc: [0.75, 0.737, 0.7637], auc_by_pair: { "EUR/USD": 0.6 }, bars: 55945, threshold: { precision: [0.4956, 0.481, 0.5135], base_rate: 0.3087 }, reliability: { observed: [1, 2, 3, 4] } } };
const WITHOUT = { auc: 0.4972, precision: 0.309524, test_positives: 262, test_windows: 810, detected: "169/262" };

const model = (version: string, more: Partial<Model> = {}): Model => ({ version, loaded: true, digest: null, replicas: [{ name: "box:8000", digest: null, loaded: true, error: null }], inputs: "candles", ...more });
const running = (mode: string) => ({ experiment_id: "exp", mode, variant_a: "v1", variant_b: "v2" }) as never;

test("scores have an interval where the manifest has one, and the newest year first", () => {
  assert.deepEqual(
    mainScores(WITH).map(({ name, on, score, baseline }) => [name, on, score.value, score.interval, baseline]),
    [
      ["AUC", "2020", "0.750", "0.737 to 0.764", "0.500"],
      ["Precision", "2020", "0.496", "0.481 to 0.514", "0.309"],
      ["AUC", "2019", "0.700", "0.600 to 0.800", "0.500"],
    ],
  );
  assert.deepEqual(
    mainScores(WITHOUT).map(({ name, score, baseline }) => [name, score.value, score.interval, baseline]),
    [
      ["AUC", "0.497", null, "0.500"],
      ["Precision", "0.310", null, "0.323"],
    ],
  );
  assert.deepEqual(mainScores(undefined), []);
});

test("all figures: curves are left out, and three numbers that are no interval are no value", () => {
  const found = scores({ a: [1, 2, 3], b: [2, 1, 3], c: { d: "x/y" }, e: [1, 2, 3, 4] });
  assert.deepEqual(found.map((score) => [score.path.join("."), score.value, score.interval]), [["b", "2.000", "1.000 to 3.000"], ["c.d", "x/y", null]]);
});

test("parity, rules and training data in words", () => {
  assert.equal(tiny(3.5762786865234375e-7), "3.6 × 10⁻⁷");
  assert.equal(tiny(1e-5), "10⁻⁵");
  assert.equal(parity({ parity: { max_difference: 6e-8, tolerance: 1e-5, windows: 4111 } } as never), "differs by at most 6.0 × 10⁻⁸, allowed 10⁻⁵, on 4,111 windows");
  assert.equal(parity(undefined), null);
  assert.deepEqual(labelRule({ horizon: 10, rule: "profitable_trades" }), ["horizon: 10", "rule: profitable trades"]);
  const on = { trained_on: { file: "x.csv", parts: { test: { first: "2020-01-02T04:00:00Z", last: "2020-12-31T21:00:00Z", bars: 5 }, train: { first: "2012-11-15T13:00:00Z", last: "2018-12-31T10:00:00Z" } } } };
  assert.deepEqual(training(on), ["Data: x.csv", "train: 2012-11-15 to 2018-12-31", "test: 2020-01-02 to 2020-12-31, 5 bars"]);
});

test("what a version is not for follows from its own figures", () => {
  const losing = model("v1", { metrics: { stage1: { signals: { 2020: { expectancy_pips: [0.7293, -0.7289, 2.3241] } } } } });
  assert.match(notFor(losing).join(), /0\.729 pips in 2020, and the interval of −0\.729 to 2\.324 includes a loss/);
  const earning = model("v1", { metrics: { stage1: { signals: { 2020: { expectancy_pips: [0.7, 0.1, 2.3] } } } } });
  assert.deepEqual(notFor(earning), []);
  assert.match(notFor(model("v1", { metadata: { stage1: { not_for: "Live trading." } } })).join(), /Live trading\./);
});

test("a switch says what a running experiment, more candles and another threshold mean", () => {
  const from = model("v1", { required_candles: 46, threshold: 0.2, requires_timestamps: false });
  const to = model("v3", { loaded: false, required_candles: 100, threshold: 0.35, requires_timestamps: true, replicas: [{ name: "box:8000", digest: null, loaded: false, error: null }, { name: "other:8000", digest: null, loaded: true, error: null }] });
  const said = (mode: string): string => effects("switch", { model: to, active: from, running: running(mode), replica: "box:8000" }).join("\n");
  assert.match(said("split"), /All workers of box:8000, and the other replica other:8000 answer with v3 once it is loaded and warm\. Until then v1 keeps answering/);
  assert.match(said("split"), /exp keeps deciding by user: requests with a user are answered by v1 or v2/);
  assert.match(said("shadow"), /v1, answers every request that names no version\. Clients see the switch only when it stops/);
  assert.match(said("split"), /needs 100 candles, and v1 needs 46/);
  assert.match(said("split"), /needs timestamps/);
  assert.match(said("split"), /from 0\.2 to 0\.35/);
});

test("what cannot be done has its reason", () => {
  const active = model("v9");
  assert.match(forbidden("unload", { model: active, active, running: null, replica: null }) ?? "", /switch to another version first/);
  assert.match(forbidden("unload", { model: model("v2"), active, running: running("split"), replica: null }) ?? "", /experiment exp compares v2: stop it first/);
  assert.equal(forbidden("unload", { model: model("v3"), active, running: running("split"), replica: null }), null);
  assert.match(forbidden("switch", { model: active, active, running: null, replica: null }) ?? "", /active already/);
});

test("agreement in words", () => {
  const says = (signal: string) => ({ signal }) as never;
  const fails = { error: "too few", code: "INSUFFICIENT_DATA" } as never;
  const found = (predictions: Record<string, never>, consensus: string | null, disagreement: boolean): string => agreement({ predictions, consensus, disagreement } as never);
  assert.equal(found({ v1: says("long"), v2: says("long") }, "long", false), "All 2 versions say long.");
  assert.equal(found({ v1: says("long"), v2: says("hold") }, null, true), "The versions disagree: v1 says long, v2 says hold.");
  assert.equal(found({ v1: says("long"), v2: says("long"), v3: fails }, null, false), "The versions that answered agree: long. v3 could not answer.");
  assert.equal(found({ v1: says("long"), v3: fails }, null, false), "Only v1 answers: long. v3 could not answer.");
});
