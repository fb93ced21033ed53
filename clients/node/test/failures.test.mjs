// Servers that are dead, mute, old, busy or restarting.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import test from "node:test";

import { createClient, getMLPrediction } from "@reversal/client";

import { EXAMPLE, Server, failure, fake, freePort, json } from "./server.mjs";

const LEGACY = {
  success: true, error: null, timestamp: "2026-01-01T00:00:00+00:00",
  data: {
    prediction: "short", signal: "short", confidence: 0.7, factors: { technical: 0.8, sentiment: 0.5, pattern: 0.6 },
    model_version: "v3.0", timestamp: "2026-01-01T00:00:00Z",
  },
};

function quiet() {
  const lines = [];
  return { lines, warn: (line) => lines.push(line) };
}

function predict(client, options) {
  return client.predict(EXAMPLE, options);
}

test("nothing listens: an error that can be retried, after a second try", async () => {
  const client = createClient({ url: `http://127.0.0.1:${await freePort()}` });
  await assert.rejects(predict(client), { code: "NO_CONNECTION", status: 0, retryable: true });
  const logger = quiet();
  for (let i = 0; i < 6; i++) { // the circuit opens on the way
    assert.equal(await getMLPrediction("EUR/USD", "1h", EXAMPLE.data, { client, logger }), null);
  }
  assert.equal(logger.lines.length, 1);
  assert.ok(logger.lines[0].includes("NO_CONNECTION"));
});

test("a port that fetch never asks: nothing was sent, and the sentence says why", async () => {
  const client = createClient({ url: "http://127.0.0.1:6000" });
  await assert.rejects(predict(client), { code: "NO_CONNECTION", message: /bad port/ });
});

test("a server that starts between the two tries answers", async () => {
  const port = await freePort();
  const client = createClient({ url: `http://127.0.0.1:${port}` });
  const answer = predict(client);
  const late = net.createServer((socket) => socket.once("data", () => {
    const body = JSON.stringify({ ...LEGACY, data: { signal: "hold" } });
    socket.end(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  }));
  await new Promise((resolve) => setTimeout(resolve, 30));
  late.listen(port, "127.0.0.1");
  assert.equal((await answer).signal, "hold");
  late.close();
});

test("a socket that never answers: the timeout, which the server was told", async () => {
  let head = "";
  const hung = net.createServer((socket) => {
    socket.on("data", (data) => { head += data; });
    socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(hung, "listening");
  const client = createClient({ url: `http://127.0.0.1:${hung.address().port}`, timeoutMs: 150 });
  await assert.rejects(predict(client), { code: "TIMEOUT", retryable: true });
  const told = Number(/x-request-timeout-ms: (\d+)/i.exec(head)[1]);
  assert.ok(told >= 1 && told <= 150, String(told));
  hung.close();
});

test("the caller's signal ends a request, and also the pause before the second try", async () => {
  const caller = new AbortController();
  const server = await fake((_, response) => {
    json(response, 503, failure("OVERLOADED", "busy"), { "Retry-After": "2" });
    setTimeout(() => caller.abort(), 50);
  });
  const client = createClient({ url: server.url });
  await assert.rejects(predict(client, { signal: caller.signal }), { code: "ABORTED", retryable: false });
  await assert.rejects(predict(client, { signal: AbortSignal.abort() }), { code: "ABORTED" });
  assert.equal(server.seen.length, 1);
  server.close();
});

test("a connection that ends before the answer is not tried again, because it may have been counted", async () => {
  let taken = 0;
  const rude = net.createServer((socket) => {
    taken += 1;
    socket.on("error", () => {});
    socket.once("data", () => socket.destroy());
  }).listen(0, "127.0.0.1");
  await once(rude, "listening");
  const client = createClient({ url: `http://127.0.0.1:${rude.address().port}` });
  await assert.rejects(predict(client), { code: "CONNECTION_LOST", retryable: true });
  assert.equal(taken, 1);
  await assert.rejects(client.models.list(), { code: "CONNECTION_LOST" });
  assert.equal(taken, 3, "reading twice does no harm");
  rude.close();
});

test("an overloaded server is asked once more, after its Retry-After", async () => {
  let asked = 0;
  const server = await fake((_, response) => {
    asked += 1;
    asked === 1
      ? json(response, 503, failure("OVERLOADED", "busy"), { "Retry-After": "0" })
      : json(response, 200, { ...LEGACY, data: { signal: "long" } });
  });
  const client = createClient({ url: server.url });
  assert.equal((await predict(client)).signal, "long");
  assert.equal(asked, 2);
  assert.equal(server.seen[0].headers["x-request-id"], server.seen[1].headers["x-request-id"]);
  server.close();
});

test("a Retry-After can be a date", async () => {
  const later = new Date(Date.now() + 60_000).toUTCString();
  const server = await fake((_, response) => json(response, 503, failure("OVERLOADED", "busy"), { "Retry-After": later }));
  await assert.rejects(predict(createClient({ url: server.url })), (error) => error.retryAfterMs > 55_000 && error.retryAfterMs <= 60_000);
  assert.equal(server.seen.length, 1);
  server.close();
});

test("a Retry-After beyond the timeout is not waited for", async () => {
  const server = await fake((_, response) => json(response, 503, failure("OVERLOADED", "busy"), { "Retry-After": "60" }));
  const client = createClient({ url: server.url, timeoutMs: 500 });
  await assert.rejects(predict(client), { code: "OVERLOADED", status: 503, retryable: true, retryAfterMs: 60_000, message: "busy" });
  assert.equal(server.seen.length, 1);
  server.close();
});

test("other refusals are not tried again", async () => {
  for (const [status, code, retryable] of [
    [503, "MODEL_UNAVAILABLE", true], [504, "DEADLINE_EXCEEDED", true], [500, "INTERNAL", false], [422, "VALIDATION_ERROR", false],
  ]) {
    const server = await fake((_, response) => json(response, status, failure(code, "no")));
    await assert.rejects(predict(createClient({ url: server.url })), { code, status, retryable });
    assert.equal(server.seen.length, 1, code);
    server.close();
  }
});

test("a server with the old call only: a 404 leads there, and nothing else does", async () => {
  const old = await fake((request, response) => {
    request.url === "/predict" ? json(response, 200, LEGACY) : json(response, 404, { detail: "Not Found" });
  });
  const client = createClient({ url: old.url });
  const found = await getMLPrediction("EURUSD", "1h", EXAMPLE.data, { client, userId: 42 });
  assert.deepEqual(found, {
    prediction: "short", confidence: 0.7, factors: LEGACY.data.factors, model_version: "v3.0",
    timestamp: LEGACY.data.timestamp, warnings: [],
  });
  assert.deepEqual(old.seen.map(({ path }) => path), ["/reversal/predict", "/predict"]);
  assert.equal(JSON.parse(old.seen[1].body).user_id, 42);
  await getMLPrediction("EURUSD", "1h", EXAMPLE.data, { client, useReversalAPI: false });
  assert.deepEqual(old.seen.map(({ path }) => path), ["/reversal/predict", "/predict", "/predict"]);
  old.close();

  const refusing = await fake((_, response) => json(response, 422, failure("UNKNOWN_VERSION", "unknown version")));
  const logger = quiet();
  const none = await getMLPrediction("EURUSD", "1h", EXAMPLE.data, { client: createClient({ url: refusing.url }), logger });
  assert.equal(none, null);
  assert.deepEqual(refusing.seen.map(({ path }) => path), ["/reversal/predict"]);
  refusing.close();
});

test("a refusal of the old service, which has status 200 and no code, is null with its sentence", async () => {
  const old = await fake((request, response) => {
    const refusal = { success: false, data: null, error: "Prediction failed: no scaler", timestamp: "2026-01-01T00:00:00" };
    request.url === "/predict" ? json(response, 200, refusal) : json(response, 404, { detail: "Not Found" });
  });
  const logger = quiet();
  assert.equal(await getMLPrediction("AUDUSD", "1h", EXAMPLE.data, { client: createClient({ url: old.url }), logger }), null);
  assert.ok(logger.lines[0].includes("Prediction failed: no scaler"));
  old.close();
});

test("JSON of another service is no prediction", async () => {
  for (const [pair, status, body] of [
    ["NZD/USD", 200, { hello: 1 }], ["AUD/NZD", 200, []], ["USD/CAD", 200, { success: true, data: { signal: "buy" } }],
    ["USD/CHF", 503, { status: 503, error: "Service Unavailable" }], ["USD/JPY", 503, { status: "unhealthy" }],
  ]) {
    const other = await fake((_, response) => json(response, status, body));
    const logger = quiet();
    assert.equal(await getMLPrediction(pair, "1h", EXAMPLE.data, { client: createClient({ url: other.url }), logger }), null);
    assert.ok(logger.lines[0].includes("BAD_ANSWER"), pair);
    other.close();
  }
  const unwell = await fake((_, response) => json(response, 503, { status: "unhealthy", model_loaded: false }));
  assert.equal((await createClient({ url: unwell.url }).health()).model_loaded, false);
  unwell.close();
});

test("a redirect is not followed, because a POST would become a GET; the error names its target", async () => {
  const moved = await fake((_, response) => {
    response.writeHead(301, { Location: "https://elsewhere.example/" });
    response.end();
  });
  const client = createClient({ url: moved.url, token: "secret" });
  await assert.rejects(predict(client), (error) => {
    assert.deepEqual([error.code, error.status], ["BAD_ANSWER", 301]);
    return error.message.includes("https://elsewhere.example/");
  });
  assert.equal(moved.seen.length, 1);
  moved.close();
});

test("https at a port without it: nothing was sent, so nothing was counted", async () => {
  const plain = await fake((_, response) => json(response, 200, LEGACY));
  const client = createClient({ url: plain.url.replace("http:", "https:") });
  await assert.rejects(predict(client), { code: "NO_CONNECTION" });
  plain.close();
});

test("an answer of another server is an error that says so", async () => {
  const proxy = await fake((_, response) => {
    response.writeHead(502, { "Content-Type": "text/html" });
    response.end("<html>Bad Gateway</html>");
  });
  await assert.rejects(predict(createClient({ url: proxy.url })), { code: "BAD_ANSWER", status: 502, retryable: true });
  proxy.close();
});

test("after five failures in a row nothing is sent for a while, then one request tries", async () => {
  let well = false;
  const server = await fake((_, response) => {
    well ? json(response, 200, { ...LEGACY, data: { signal: "hold" } }) : response.writeHead(502).end("x");
  });
  const client = createClient({ url: server.url });
  for (let i = 0; i < 5; i++) {
    await assert.rejects(predict(client), { code: "BAD_ANSWER" });
  }
  await assert.rejects(predict(client), (error) => {
    assert.deepEqual([error.code, error.retryable], ["CIRCUIT_OPEN", true]);
    assert.ok(error.retryAfterMs >= 1 && error.retryAfterMs <= 1_250);
    return true;
  });
  assert.equal(server.seen.length, 5);
  well = true;
  let found;
  while (!found) {
    found = await predict(client).catch((error) => assert.equal(error.code, "CIRCUIT_OPEN"));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal(found.signal, "hold");
  assert.equal(server.seen.length, 6);
  server.close();
});

test("many requests that fail at once are one failure of the server: the circuit opens for a second, not for thirty", async () => {
  const client = createClient({ url: `http://127.0.0.1:${await freePort()}` });
  await Promise.allSettled(Array.from({ length: 50 }, () => predict(client)));
  await assert.rejects(predict(client), (error) => error.code === "CIRCUIT_OPEN" && error.retryAfterMs <= 1_250);
});

test("refusals of a well server do not open the circuit", async () => {
  const server = await fake((_, response) => json(response, 422, failure("VALIDATION_ERROR", "no", [{ path: "pair", message: "no" }])));
  const client = createClient({ url: server.url });
  for (let i = 0; i < 8; i++) {
    await assert.rejects(predict(client), { code: "VALIDATION_ERROR", path: "pair" });
  }
  assert.equal(server.seen.length, 8);
  server.close();
});

test("the environment switches predictions off, and a slash at the end of the address does no harm", async () => {
  const server = await fake((_, response) => json(response, 200, LEGACY));
  const logger = quiet();
  process.env.ML_API_URL = `${server.url}/`;
  process.env.ML_API_ENABLED = "false";
  try {
    assert.equal(await getMLPrediction("EURUSD", "1h", EXAMPLE.data, { logger }), null);
    assert.equal(server.seen.length, 0);
    assert.equal(logger.lines.length, 1);
    process.env.ML_API_ENABLED = "true";
    assert.equal((await getMLPrediction("EURUSD", "1h", EXAMPLE.data, { logger })).prediction, "short");
    assert.equal(server.seen[0].path, "/reversal/predict");
  } finally {
    delete process.env.ML_API_URL;
    delete process.env.ML_API_ENABLED;
    server.close();
  }
});

test("rows that are left out are logged, once", async () => {
  const server = await fake((_, response) => json(response, 200, LEGACY));
  const logger = quiet();
  const rows = [...EXAMPLE.data.slice(0, -1), { ...EXAMPLE.data.at(-1), close: null }];
  for (let i = 0; i < 2; i++) {
    await getMLPrediction("GBPUSD", "1h", rows, { client: createClient({ url: server.url }), logger });
  }
  assert.equal(logger.lines.length, 1);
  assert.ok(logger.lines[0].includes("rows[119]"));
  server.close();
});

test("a restart in between: the next call is answered", async () => {
  const server = await Server.start();
  try {
    const client = createClient({ url: server.url });
    assert.equal((await predict(client)).signal, "hold");
    await server.stop();
    await assert.rejects(predict(client), { code: "NO_CONNECTION" });
    await server.run();
    assert.equal((await predict(client)).signal, "hold");
  } finally {
    await server.close();
  }
});
