"use strict";

const { candlesOf, leftOut } = require("./candles.cjs");
const { ReversalClient, ofEnvironment, withWarning } = require("./client.cjs");
const { CODES, ReversalError, checkNames, shown } = require("./errors.cjs");
const { pairOf, timeframeOf } = require("./names.cjs");

const OFF = new Set(["false", "0", "no", "off"]);
const SIGNALS = ["hold", "long", "short"];

const OPTIONS = [
  "userId", "user_id", "version", "useReversalAPI", "client", "logger", "timeoutMs", "signal", "timezone", "timestamps",
  "price",
];

const clients = new Map();
// The last reason that was logged, by what it is about. The same reason is not logged again.
const logged = new Map();

/**
 * A prediction in the form of the backend's own method, or null if there is none; the reason is logged, once until it
 * changes.
 *
 * Environment: ML_API_URL (default http://localhost:8000), ML_API_ENABLED (`false` gives null), ML_API_TOKEN.
 *
 * @param {string} pair
 * @param {string} timeframe
 * @param {unknown} marketData in any form that candlesOf takes
 * @param {{userId?: string | number, user_id?: string | number, version?: string, useReversalAPI?: boolean, client?: ReversalClient,
 *   logger?: {warn: Function, info?: Function}, timeoutMs?: number, signal?: AbortSignal, timezone?: string,
 *   timestamps?: "open" | "close", price?: "mid" | "bid" | "ask"}} [options]
 *   useReversalAPI: false asks the old call only.
 */
async function getMLPrediction(pair, timeframe, marketData, options = {}) {
  const { userId = options.user_id, version, useReversalAPI = true, logger = console, timeoutMs, signal } = options;
  const about = `${pair} ${timeframe}`.replace(/[^\x20-\x7e]/g, "?").slice(0, 40); // one line of a log
  if (OFF.has(String(process.env.ML_API_ENABLED ?? "true").trim().toLowerCase())) {
    return none(logger, about, "ML_API_ENABLED switches it off");
  }
  try {
    checkNames("options", options, OPTIONS);
    const client = options.client ?? clientOf(ofEnvironment());
    const frame = timeframeOf(timeframe);
    const { candles, dropped } = candlesOf(marketData, { ...pick(options), timeframe: frame });
    const broken = leftOut(dropped);
    noteDropped(logger, about, broken);
    const request = { pair: pairOf(pair), timeframe: frame, data: candles };
    if (options.timestamps !== undefined) {
      request.timestamps = options.timestamps;
    }
    if (version) {
      request.version = version;
    }
    if (userId !== undefined && userId !== null && userId !== "") {
      request.user_id = userId;
    }
    const answer = await ask(client, request, useReversalAPI, { timeoutMs, signal });
    logged.delete(about);
    return withWarning(answer, broken);
  } catch (error) {
    if (!(error instanceof ReversalError)) {
      throw error;
    }
    return none(logger, about, `${error.code}: ${error.message}`, error);
  }
}

async function ask(client, request, useReversalAPI, options) {
  if (useReversalAPI) {
    try {
      return resultOf(await client.predict(request, options));
    } catch (error) {
      // Only a server without this endpoint: a wrong version or a bad candle is an error in the old call, too.
      if (error.status !== 404) {
        throw error;
      }
    }
  }
  return resultOf(await client.predictLegacy(request, options));
}

/** The fields that the backend reads, from an answer of either call. */
function resultOf(answer) {
  const prediction = answer?.signal ?? answer?.prediction;
  if (!SIGNALS.includes(prediction)) {
    throw new ReversalError(
      `the answer has the signal ${shown(prediction)}, not ${SIGNALS.join(", ")}`, { code: CODES.BAD_ANSWER, status: 200 },
    );
  }
  const factors = answer.factors ?? {};
  const found = {
    prediction,
    confidence: answer.confidence,
    factors: {
      technical: answer.stage1_prob ?? factors.technical ?? 0.5,
      sentiment: 0.5,
      pattern: answer.stage2_prob ?? factors.pattern ?? 0.5,
    },
    model_version: answer.model_version,
    timestamp: answer.timestamp,
    warnings: answer.warnings ?? [],
  };
  for (const name of ["candle_time", "valid_until", "prediction_id", "experiment"]) {
    if (answer[name] !== undefined) {
      found[name] = answer[name];
    }
  }
  return found;
}

function none(logger, about, reason, error) {
  // Sentences have numbers that change, so the same code at the same place is the same reason. An open circuit has the
  // reason that was logged before it opened.
  const key = error ? `${error.code} ${error.path}` : reason;
  if (logged.get(about) !== key && !(error?.code === CODES.CIRCUIT_OPEN && logged.has(about))) {
    logged.set(about, key);
    const id = error?.requestId ? ` (request ${error.requestId})` : "";
    logger.warn(`reversal: no prediction for ${about}: ${reason}${id}`);
  }
  return null;
}

function noteDropped(logger, about, text) {
  const key = `rows of ${about}`;
  if (text === null) {
    logged.delete(key);
  } else if (logged.get(key) !== text) {
    logged.set(key, text);
    logger.warn(`reversal: ${about}: ${text}`);
  }
}

function clientOf({ url, token }) {
  const key = `${url} ${token ?? ""}`;
  if (!clients.has(key)) {
    clients.set(key, new ReversalClient({ url, token }));
  }
  return clients.get(key);
}

function pick({ timezone, timestamps, price }) {
  return Object.fromEntries(Object.entries({ timezone, timestamps, price }).filter(([, value]) => value !== undefined));
}

module.exports = { getMLPrediction };
