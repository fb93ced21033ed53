"use strict";

const { candlesOf, leftOut } = require("./candles.cjs");
const { ReversalError, badInput, checkNames, shown } = require("./errors.cjs");
const { pairOf, timeframeOf } = require("./names.cjs");
const { Transport } = require("./transport.cjs");

const TIMEOUT_MS = 5_000;
const OPTIONS = ["url", "token", "timeoutMs", "fetch"];

/** A client of one server. Connections are kept open and shared, so make one client and keep it. */
class ReversalClient {
  #transport;

  /**
   * @param {{url?: string, token?: string, timeoutMs?: number, fetch?: typeof fetch}} [options]
   *   url: without it, the environment's ML_API_URL and ML_API_TOKEN count. A token is never sent to another address.
   *   timeoutMs: how long a call may take, its second try included.
   */
  constructor(options = {}) {
    checkNames("options", options, OPTIONS);
    const environment = options.url === undefined ? ofEnvironment() : {};
    const { url = environment.url, token = environment.token, timeoutMs = TIMEOUT_MS, fetch = globalThis.fetch } = options;
    this.#transport = new Transport({ url, token, timeoutMs, fetch });
    this.models = this.#models();
    this.experiments = this.#experiments();
    this.outcomes = {
      report: async (outcomes, options) => this.#post("/reversal/outcomes", { outcomes }, options),
    };
  }

  /**
   * One prediction. `rows` are candles in any form that candlesOf takes, read with `timezone` and `price` as there; rows
   * that it leaves out are a warning of the answer. `data` are candles as the server takes them.
   */
  async predict(request, options) {
    const dropped = [];
    const answer = await this.#post("/reversal/predict", requestOf(request, dropped), options, true);
    return withWarning(answer, leftOut(dropped));
  }

  /** The call of the old service, which some servers have only. */
  async predictLegacy(request, options) {
    return this.#post("/predict", { ...requestOf(request), add_indicators: true }, options, true);
  }

  /** Up to 1,024 predictions; an item that fails has its error in its place. */
  async predictBatch(items, options) {
    if (!Array.isArray(items)) {
      throw badInput("items", `must be an array, not ${shown(items)}`);
    }
    const body = { items: items.map((request, i) => within(`items[${i}]`, () => requestOf(request))) };
    return (await this.#post("/reversal/predict/batch", body, options, true)).results;
  }

  /** One input, several versions. */
  async compare(request, options) {
    return this.#post("/reversal/compare", requestOf(request), options, true);
  }

  /** A prediction, and how much each feature moved it; no experiment counts it. `request.background`: 1 to 50. */
  async explain(request, options) {
    const dropped = [];
    const answer = await this.#post("/reversal/explain", requestOf(request, dropped), options, true);
    return withWarning(answer, leftOut(dropped));
  }

  /** Does not throw if the server is unhealthy: its answer says so. */
  health(options) {
    return this.#get("/health", { ...options, bare: true });
  }

  /** As health, for readiness. */
  ready(options) {
    return this.#get("/readyz", { ...options, bare: true });
  }

  #models() {
    const of = (version, action = "") => `/reversal/models/${segment("version", version)}${action}`;
    return {
      list: (options) => this.#get("/reversal/models", options),
      show: async (version, options) => this.#get(of(version), options),
      load: async (version, options) => this.#post(of(version, "/load"), undefined, options),
      unload: async (version, options) => this.#post(of(version, "/unload"), undefined, options),
      switch: async (version, options) => this.#post(of(version, "/switch"), undefined, options),
    };
  }

  #experiments() {
    const all = "/reversal/experiments";
    const of = (id, action = "") => `${all}/${segment("id", id)}${action}`;
    return {
      list: async (options) => (await this.#get(all, options)).experiments,
      create: (experiment, options) => this.#post(all, experiment, options),
      plan: (plan, options) => this.#post(`${all}/plan`, plan, options),
      show: async (id, options) => this.#get(of(id), options),
      activate: async (id, options) => this.#post(of(id, "/activate"), undefined, options),
      stop: async (id, options) => this.#post(of(id, "/stop"), undefined, options),
      addNote: async (id, note, options) => this.#post(of(id, "/notes"), note, options),
      metrics: async (id, options) => this.#get(of(id, "/metrics"), options),
      evaluate: async (id, request, options) => this.#post(of(id, "/evaluate"), requestOf(request), options),
      report: async (id, { format = "json", ...options } = {}) =>
        this.#get(of(id, `/report?format=${segment("format", format)}`), { ...options, text: format !== "json" }),
      export: async (id, { format = "jsonl", ...options } = {}) =>
        this.#get(of(id, `/export?format=${segment("format", format)}`), { ...options, text: true }),
    };
  }

  #get(path, options) {
    return this.#transport.send("GET", path, options);
  }

  #post(path, body, options, announce = false) {
    return this.#transport.send("POST", path, { ...options, body, announce });
  }
}

/** @param {ConstructorParameters<typeof ReversalClient>[0]} [options] */
function createClient(options) {
  return new ReversalClient(options);
}

/** Address and token of the environment. */
function ofEnvironment() {
  return { url: process.env.ML_API_URL || "http://localhost:8000", token: process.env.ML_API_TOKEN || undefined };
}

/** The answer with a warning of this client beside the server's own; `message` null adds none. */
function withWarning(answer, message) {
  return message === null
    ? answer : { ...answer, warnings: [...(answer.warnings ?? []), { code: "ROWS_LEFT_OUT", message }] };
}

/**
 * A request with the server's names: of the pair, the timeframe, and the candles in `rows`. Rows that are left out are
 * added to `dropped`.
 */
function requestOf(request = {}, dropped = []) {
  if (request === null || typeof request !== "object") {
    throw badInput("request", `must be an object with a pair and candles, not ${shown(request)}`);
  }
  const { rows, timezone, price, ...body } = request;
  if (body.pair !== undefined) {
    body.pair = pairOf(body.pair);
  }
  if (body.timeframe !== undefined && body.timeframe !== null) {
    body.timeframe = timeframeOf(body.timeframe);
  }
  if (rows === undefined) {
    if ("rows" in request && body.data === undefined && body.features === undefined) {
      throw badInput("rows", "is undefined; give candles");
    }
    if (timezone !== undefined || price !== undefined) {
      throw badInput(timezone !== undefined ? "timezone" : "price", "is for rows, and there are none");
    }
    return body;
  }
  if (body.data !== undefined) {
    throw badInput("rows", "is there beside data; give one of them");
  }
  const read = candlesOf(rows, { timeframe: body.timeframe ?? "1h", timestamps: body.timestamps, timezone, price });
  dropped.push(...read.dropped);
  body.data = read.candles;
  return body;
}

/** What `read` gives; the place of its error is one in `place`. */
function within(place, read) {
  try {
    return read();
  } catch (error) {
    throw error instanceof ReversalError
      ? new ReversalError(`${place}.${error.message}`, { code: error.code, path: `${place}.${error.path}`, cause: error })
      : error;
  }
}

function segment(name, value) {
  if (typeof value !== "string" || value === "" || value === "." || value === "..") {
    throw badInput(name, `must be a text that is not empty, not ${shown(value)}`);
  }
  return encodeURIComponent(value);
}

module.exports = { ReversalClient, createClient, ofEnvironment, withWarning };
