// 10,000 signals under an experiment while the server restarts ten times: none lost, none counted twice.
// REVERSAL_PYTHON=… node test/restarts.mjs [signals] [restarts]
import assert from "node:assert/strict";

import { createClient } from "@reversal/client";

import { EXAMPLE, Server } from "./server.mjs";

const SIGNALS = Number(process.argv[2] ?? 10_000);
const RESTARTS = Number(process.argv[3] ?? 10);
const SIDE_BY_SIDE = 8;

const server = await Server.start(["--workers", "2"]);
const client = createClient({ url: server.url });
await client.experiments.create({
  experiment_id: "restarts", name: "restarts", variant_a: "v3.0", variant_b: "v3.1", traffic_split: 0.5,
});
await client.experiments.activate("restarts");

const ids = [];
const errors = {};
let next = 0;

/** Ask until there is an answer, as a backend does that must have this signal. */
async function signal(i) {
  for (;;) {
    try {
      return await client.predict({ ...EXAMPLE, user_id: i });
    } catch (error) {
      assert.ok(error.retryable, error.message);
      errors[error.code] = (errors[error.code] ?? 0) + 1;
      await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs ?? 100));
    }
  }
}

async function asker() {
  while (next < SIGNALS) {
    next += 1;
    ids.push((await signal(next)).prediction_id);
  }
}

async function restarter() {
  for (let n = 1; n <= RESTARTS; n++) {
    while (next < (n * SIGNALS) / (RESTARTS + 1)) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (n % 2) {
      server.process.kill("SIGHUP"); // replaces the workers
    } else {
      await server.stop(); // a new server
      await server.run();
    }
  }
}

try {
  await Promise.all([restarter(), ...Array.from({ length: SIDE_BY_SIDE }, asker)]);
  let exported = [];
  for (let i = 0; i < 100 && exported.length < SIGNALS; i++) { // the journals drain within moments
    const text = await client.experiments.export("restarts", { timeoutMs: 60_000 });
    exported = text.trim().split("\n").map((line) => JSON.parse(line).prediction_id);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const known = new Set(ids);
  const kept = new Set(exported);
  const lost = ids.filter((id) => !kept.has(id)).length;
  console.log(JSON.stringify({ signals: ids.length, distinct: known.size, exported: exported.length, lost, errors }));
  assert.equal(known.size, SIGNALS);
  assert.deepEqual([...kept].sort(), [...known].sort());
  assert.equal(exported.length, SIGNALS);
} finally {
  await server.close();
}
