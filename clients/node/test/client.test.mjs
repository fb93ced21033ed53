// Against the real server.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";

import { ReversalError, createClient, getMLPrediction } from "@reversal/client";

import { FORMATS } from "./formats.mjs";
import { EXAMPLE, Server } from "./server.mjs";

let server;
let client;

before(async () => {
  server = await Server.start();
  client = createClient({ url: `${server.url}/` });
});
after(() => server?.close());

function rejected(call, expected) {
  return assert.rejects(call, (error) => {
    assert.ok(error instanceof ReversalError);
    for (const [name, value] of Object.entries(expected)) {
      assert.deepEqual(error[name], value, name);
    }
    return true;
  });
}

test("every form of the same candles gives the same probabilities, to the bit", async () => {
  const version = "v3.1"; // its answer to these candles has both probabilities
  const { stage1_prob, stage2_prob } = await client.predict({ ...EXAMPLE, version });
  assert.ok(stage1_prob > 0.5 && stage2_prob > 0.5);
  for (const [name, { make, options }] of Object.entries(FORMATS)) {
    const found = await getMLPrediction("EURUSD", "H1", make(EXAMPLE.data), { ...options, version, client });
    assert.deepEqual([found.factors.technical, found.factors.pattern], [stage1_prob, stage2_prob], name);
  }
});

test("a refusal has the server's sentence, code, path and request id", async () => {
  await rejected(client.predict({ pair: "EURUSD", timeframe: "1h", rows: EXAMPLE.data.slice(0, 20) }, { requestId: "mine-1" }), {
    status: 422, code: "INSUFFICIENT_DATA", path: "data", retryable: false, requestId: "mine-1",
    message: "version v3.2 needs at least 100 candles, 20 were given",
  });
  await rejected(client.models.show("v9"), { status: 404, code: "UNKNOWN_VERSION", path: null });
  await rejected(client.predict({ ...EXAMPLE, version: "v9" }), { status: 422, code: "UNKNOWN_VERSION", path: "version" });
});

test("what cannot be sent is refused before it is sent, with its place", async () => {
  const data = [...EXAMPLE.data];
  data[3] = { ...data[3], high: Number.NaN };
  await rejected(client.predict({ ...EXAMPLE, data }), { code: "BAD_INPUT", status: 0, path: "data[3].high" });
  await rejected(client.predict({ pair: "EUR", data: [] }), { code: "BAD_INPUT", path: "pair" });
  await rejected(client.predict(null), { code: "BAD_INPUT", path: "request" });
  await rejected(client.predictBatch([EXAMPLE, { ...EXAMPLE, pair: "EUR" }]), { code: "BAD_INPUT", path: "items[1].pair" });
  await rejected(client.predict(EXAMPLE, { requestId: "用" }), { code: "BAD_INPUT", path: "requestId" });
  await rejected(client.predict(EXAMPLE, { signal: {} }), { code: "BAD_INPUT", path: "signal" });
  await rejected(client.predict(EXAMPLE, { timeoutMs: 2 ** 31 }), { code: "BAD_INPUT", path: "timeoutMs" });
  assert.throws(() => createClient({ token: "secret\nsecret" }), (error) => error.path === "token" && !error.message.includes("secret"));
  for (const url of ["http://me:secret@localhost", "ftp://me:secret@localhost", "http://localhost?x=1"]) {
    assert.throws(() => createClient({ url }), (error) => error.path === "url" && !error.message.includes("secret"));
  }
  await rejected(client.models.show(""), { code: "BAD_INPUT", path: "version" });
  await rejected(client.models.show(".."), { code: "BAD_INPUT", path: "version" });
  assert.throws(() => createClient({ url: "localhost:8000" }), { code: "BAD_INPUT", path: "url" });
  assert.throws(() => createClient({ timeoutMs: 0 }), { code: "BAD_INPUT", path: "timeoutMs" });
  assert.throws(() => createClient({ baseURL: server.url }), { code: "BAD_INPUT", path: "options.baseURL" });
  assert.throws(() => createClient(server.url), { code: "BAD_INPUT", path: "options" });
  const none = { pair: "EURUSD", timeframe: "1h", rows: undefined };
  await rejected(client.predict(none), { code: "BAD_INPUT", path: "rows" });
  await rejected(client.predict({ ...EXAMPLE, timezone: "UTC" }), { code: "BAD_INPUT", path: "timezone" });
});

test("without an address, those of the environment count; its token goes to no other address", async () => {
  const guarded = await Server.start(["--api-token-file", tokenFile()]);
  process.env.ML_API_URL = guarded.url;
  process.env.ML_API_TOKEN = TOKEN;
  try {
    assert.equal((await createClient().models.list()).active_version, "v3.2");
    await rejected(createClient({ url: guarded.url }).models.list(), { code: "UNAUTHORIZED" });
    await rejected(createClient({ token: "another-token-of-the-test-of-32-letters" }).models.list(), { code: "UNAUTHORIZED" });
  } finally {
    delete process.env.ML_API_URL;
    delete process.env.ML_API_TOKEN;
    await guarded.close();
  }
});

test("rows that cannot be used are a warning of the answer; an option of the drop-in that does not exist is an error", async () => {
  const rows = EXAMPLE.data.map((row, i) => (i === 7 ? { ...row, high: "-" } : row));
  const codes = async (answer) => ((await answer).warnings ?? []).map(({ code }) => code);
  assert.deepEqual(await codes(client.predict({ pair: "EURUSD", rows })), ["ROWS_LEFT_OUT"]);
  assert.deepEqual(await codes(client.predict({ pair: "EURUSD", rows: EXAMPLE.data })), []);
  const said = [];
  const logger = { warn: (message) => said.push(message) };
  const ask = (options) => getMLPrediction("EURUSD", "H1", rows, { client, logger, ...options });
  assert.deepEqual(await codes(ask({ user_id: 7 })), ["ROWS_LEFT_OUT"]);
  assert.equal(await ask({ userID: 7 }), null);
  assert.match(said.at(-1), /BAD_INPUT: options\.userID: /);
});

test("batch, compare, models and health", async () => {
  const [good, bad] = await client.predictBatch([EXAMPLE, { ...EXAMPLE, data: [] }]);
  assert.deepEqual([good.success, good.data.signal, bad.success, bad.code], [true, "hold", false, "INSUFFICIENT_DATA"]);
  const { predictions } = await client.compare({ ...EXAMPLE, versions: ["v3.0", "v3.1"] });
  assert.deepEqual(Object.keys(predictions).sort(), ["v3.0", "v3.1"]);
  assert.equal((await client.models.list()).active_version, "v3.2");
  assert.equal((await client.models.show("v3.0")).required_candles, 46);
  assert.deepEqual(await client.models.load("v3.0"), { version: "v3.0", loaded: true });
  const health = await client.health();
  assert.deepEqual([health.status, health.model_loaded], ["healthy", true]);
  assert.equal((await client.ready()).status, "ready");
});

test("an explanation sums to its answer", async () => {
  const { signal, stage1_prob, explanation } = await client.explain({ ...EXAMPLE, background: 1 });
  assert.equal(signal, "hold");
  const { base_value, value, features, probability_of } = explanation.stage1;
  assert.deepEqual([value, probability_of, explanation.stage2.probability_of], [stage1_prob, "reversal", "long"]);
  const sum = Object.values(features).reduce((total, each) => total + each, 0);
  assert.ok(Math.abs(sum - (value - base_value)) < 1e-12);
  await assert.rejects(client.explain({ ...EXAMPLE, background: 51 }), { code: "VALIDATION_ERROR", path: "background" });
});

test("an experiment, a user's predictions and outcomes back", async () => {
  await client.experiments.create({
    experiment_id: "v30_vs_v31", name: "first", variant_a: "v3.0", variant_b: "v3.1", traffic_split: 0.5,
  });
  await client.experiments.activate("v30_vs_v31");
  // user123 has bucket 4121, alice 9843.
  const a = await getMLPrediction("EUR/USD", "1h", EXAMPLE.data, { client, userId: "user123" });
  const b = await getMLPrediction("EUR/USD", "1h", EXAMPLE.data, { client, userId: "alice" });
  assert.deepEqual([a.experiment.variant, a.model_version, b.experiment.variant, b.model_version], ["A", "v3.0", "B", "v3.1"]);
  const { results } = await client.outcomes.report([{ prediction_id: b.prediction_id, outcome: "win", pnl_pips: 12.5 }]);
  assert.deepEqual(results.map((each) => each.status), ["recorded"]);
  const { variants } = await client.experiments.metrics("v30_vs_v31");
  assert.deepEqual([variants.A.metrics.count, variants.B.metrics.count], [1, 1]);
  assert.match(await client.experiments.report("v30_vs_v31", { format: "md" }), /^# /);
  assert.equal((await client.experiments.report("v30_vs_v31")).experiment_id, "v30_vs_v31");
  assert.equal((await client.experiments.export("v30_vs_v31")).trim().split("\n").length, 2);
  assert.equal((await client.experiments.stop("v30_vs_v31")).status, "stopped");
  assert.equal((await client.experiments.list()).length, 1);
});

test("a token is sent, and a wrong one is an error with its code", async () => {
  const guarded = await Server.start(["--api-token-file", tokenFile()]);
  try {
    await rejected(createClient({ url: guarded.url }).models.list(), { status: 401, code: "UNAUTHORIZED", retryable: false });
    assert.equal((await createClient({ url: guarded.url, token: `${TOKEN}\n` }).models.list()).active_version, "v3.2");
  } finally {
    await guarded.close();
  }
});

const TOKEN = "a-token-of-the-test-with-32-characters";

function tokenFile() {
  const path = join(server.folder, "token");
  writeFileSync(path, TOKEN, { mode: 0o600 });
  return path;
}
