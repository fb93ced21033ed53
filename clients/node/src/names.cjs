"use strict";

const { badInput, shown } = require("./errors.cjs");

const TIMEFRAMES = ["1min", "5min", "15min", "30min", "1h", "4h", "1d", "1w", "1M"];

/** Minutes of a period; null for a month, which has no fixed length. */
const MINUTES = { "1min": 1, "5min": 5, "15min": 15, "30min": 30, "1h": 60, "4h": 240, "1d": 1440, "1w": 10080, "1M": null };

const BY_MINUTES = new Map(Object.entries(MINUTES).map(([name, minutes]) => [minutes, name]));

// What follows the six letters of a symbol on some platforms: EURUSD=X (Yahoo), EURUSD.pro, EURUSD#.
const SYMBOL = /^(?:[A-Z0-9]+:|FRX)?([A-Z]{3})[/_\-. ]?([A-Z]{3})(?:=X|#|\.[A-Z0-9]+)?$/;

/**
 * The pair as the server writes it, `EUR/USD`, for EURUSD, EUR_USD, EUR-USD, eur/usd, EURUSD=X, OANDA:EUR_USD and
 * similar names. Throws for a name that could mean something else.
 * @param {string} name
 * @returns {string}
 */
function pairOf(name) {
  const found = typeof name === "string" ? SYMBOL.exec(name.trim().toUpperCase()) : null;
  if (!found) {
    throw badInput("pair", `${shown(name)} is not a pair of two currencies of three letters, such as EUR/USD or EURUSD`);
  }
  return `${found[1]}/${found[2]}`;
}

// A number before or behind a unit: 1h, 60min, H1, D, 1 day. The case of a lone m or M decides nothing here.
const NUMBER_FIRST = /^(\d{1,5})\s*([a-zA-Z]+)$/;
const UNIT_FIRST = /^([a-zA-Z]+)(?:_?(\d{1,5}))?$/;

const UNITS = new Map([
  ...["min", "mins", "minute", "minutes", "t"].map((unit) => [unit, 1]),
  ...["h", "hr", "hrs", "hour", "hours", "hourly"].map((unit) => [unit, 60]),
  ...["d", "day", "days", "daily"].map((unit) => [unit, 1440]),
  ...["w", "wk", "week", "weeks", "weekly"].map((unit) => [unit, 10080]),
  ...["mn", "mo", "mon", "month", "months", "monthly"].map((unit) => [unit, null]),
]);

/**
 * The timeframe as the server writes it, `1h`, for H1, 60min, 60, 1hour, PERIOD_H1 and similar names. A lone `m` or `M`
 * with the number 1 can be a minute or a month, so `1m` throws; `1M` is the server's own name of a month.
 * @param {string | number} name a number is minutes
 * @returns {string}
 */
function timeframeOf(name) {
  if (TIMEFRAMES.includes(name)) {
    return name;
  }
  const text = String(name).trim().replace(/^PERIOD_/i, "");
  const minutes = /^\d+$/.test(text) ? Number(text) : minutesOf(text);
  const found = BY_MINUTES.get(minutes);
  if (found === undefined) {
    const why = minutes === undefined || Number.isNaN(minutes) ? "is not a timeframe" : "is not a timeframe of the server";
    throw badInput("timeframe", `${shown(name)} ${why}; it has ${TIMEFRAMES.join(", ")}`);
  }
  return found;
}

/** Minutes; null for one month, undefined for an unknown name. */
function minutesOf(text) {
  let found = NUMBER_FIRST.exec(text);
  let [count, unit] = found ? [Number(found[1]), found[2]] : [1, ""];
  const unitFirst = !found;
  if (!found) {
    found = UNIT_FIRST.exec(text);
    if (!found) {
      return undefined;
    }
    [unit, count] = [found[1], Number(found[2] ?? 1)];
  }
  if (unit === "m" || unit === "M") {
    // M5 and 5m are minutes on every platform, since none has candles of five months. So is M1 of MetaTrader and OANDA.
    if ((unitFirst && unit === "M" && found[2] !== undefined) || (count > 1 && unit === "m")) {
      return count;
    }
    throw badInput("timeframe", `${shown(text)} can be a minute or a month; write "1min" or "1M"`);
  }
  if (!UNITS.has(unit.toLowerCase())) {
    return undefined;
  }
  const one = UNITS.get(unit.toLowerCase());
  return one === null ? (count === 1 ? null : Number.NaN) : one * count;
}

module.exports = { MINUTES, TIMEFRAMES, pairOf, timeframeOf };
