"use strict";

const { badInput, shown } = require("./errors.cjs");
const { millisecondsOf } = require("./times.cjs");

// Names of a field, made plain. The first that a row has is taken.
const NAMES = {
  time: ["timestamp", "time", "datetime", "date", "opentime", "opentimestamp", "bartime", "t", "ts", "index"],
  open: ["open", "o", "openprice"],
  high: ["high", "h", "highprice", "max"],
  low: ["low", "l", "lowprice", "min"],
  close: ["close", "c", "closeprice"],
  volume: ["volume", "v", "tickvolume", "tickvol", "vol", "realvolume"],
};
const TIMES = NAMES.time;
const PRICES = ["open", "high", "low", "close"];
const KNOWN = new Set(Object.values(NAMES).flat());

/** Without case, blanks, underscores, angle brackets, the number of Alpha Vantage (`1. open`), the symbol of yfinance. */
function plainName(key) {
  return key.replace(OF_SYMBOL, "$1").replace(/^\d+\. /, "").toLowerCase().replace(/[\s_<>]/g, "");
}

// yfinance's download names a column ('Close', 'EURUSD=X').
const OF_SYMBOL = /^\('([^']*)', '[^']*'\)$/;

/** The values of a row by their plain names. Binance's events have both t and T: the plain one counts. */
function byPlainName(row, place) {
  const found = new Map();
  for (const [key, value] of Object.entries(row)) {
    const name = plainName(key);
    if (found.has(name) && KNOWN.has(name) && OF_SYMBOL.test(key)) {
      throw badInput(place, `has more than one column ${name}; give the candles of one symbol`);
    }
    if (key === name || !found.has(name)) {
      found.set(name, value);
    }
  }
  return found;
}

/**
 * The rows of what a provider answers, each with its place in it: an array, or an object around it.
 * @returns {{place: string, row: unknown}[]}
 */
function rowsOf(given) {
  if (Array.isArray(given)) {
    return Array.from(given, (row, i) => ({ place: `rows[${i}]`, row }));
  }
  if (given === null || typeof given !== "object") {
    throw badInput("rows", `must be an array of candles, or a provider's answer with one, not ${shown(given)}`);
  }
  const yahoo = given.chart?.result?.[0] ?? (given.indicators ? given : null);
  if (yahoo) {
    return ofColumns({ timestamp: yahoo.timestamp ?? [], ...yahoo.indicators?.quote?.[0] });
  }
  for (const key of ["candles", "values", "rows", "data", "result", "results", "klines", "bars"]) {
    if (Array.isArray(given[key])) {
      if (key === "data" && Array.isArray(given.columns)) {
        return ofSplit(given);
      }
      return given[key].map((row, i) => ({ place: `rows.${key}[${i}]`, row }));
    }
  }
  const series = Object.keys(given).find((key) => key.startsWith("Time Series")); // Alpha Vantage
  if (series !== undefined) {
    return rowsOf(given[series]);
  }
  const parts = Object.entries(given).filter(([, part]) => part !== null && typeof part === "object");
  if (parts.some(([name]) => KNOWN.has(plainName(name)))) {
    return ofColumns(given);
  }
  if (parts.length > 0 && parts.every(([name]) => !Number.isNaN(millisecondsOf(name, "UTC")))) {
    return parts.map(([index, row]) => ({ place: `rows[${shown(index)}]`, row: { index, ...row } })); // pandas, "index"
  }
  const message = given.message ?? given.chart?.error?.description ?? given.error ?? given["Error Message"]
    ?? given.Information ?? given.Note ?? given.errorMessage;
  const said = typeof message === "string" ? `; the provider says: ${message}` : "";
  throw badInput("rows", `has no candles, only the fields ${shown(Object.keys(given))}${said}`);
}

/** Columns: arrays of one length, or objects by index as pandas' to_json writes them. */
function ofColumns(columns) {
  const entries = Object.entries(columns)
    .filter(([name, column]) => column !== null && typeof column === "object" && KNOWN.has(plainName(name)));
  const indices = [...new Set(entries.flatMap(([, column]) => Object.keys(column)))];
  const lengths = new Set(entries.map(([, column]) => Object.keys(column).length));
  if (lengths.size > 1) {
    const found = entries.map(([name, column]) => `${name} ${Object.keys(column).length}`).join(", ");
    throw badInput("rows", `its columns have different lengths: ${found}`);
  }
  const byIndex = entries.some(([, column]) => !Array.isArray(column));
  return indices.map((index) => ({
    place: byIndex ? `rows.*[${shown(index)}]` : `rows.*[${index}]`,
    row: { ...(byIndex ? { index } : {}), ...Object.fromEntries(entries.map(([name, column]) => [name, column[index]])) },
  }));
}

/** pandas' to_json(orient="split"). */
function ofSplit({ columns, index, data }) {
  return data.map((values, i) => ({
    place: `rows.data[${i}]`,
    row: {
      ...(Array.isArray(index) ? { index: index[i] } : {}),
      ...Object.fromEntries(columns.map((name, j) => [Array.isArray(name) ? `('${name.join("', '")}')` : String(name), values[j]])),
    },
  }));
}

/**
 * The fields of one row, as the provider wrote them; undefined for those that it does not have.
 * @returns {{time?: unknown, open?: unknown, high?: unknown, low?: unknown, close?: unknown, volume?: unknown,
 *   complete?: boolean, ofClock?: boolean}}
 */
function fieldsOf(given, place, price) {
  const own = typeof given?.toJSON === "function" ? given.toJSON() : given; // models of Sequelize and Mongoose
  const row = own?.k?.o === undefined ? own : own.k; // an event of Binance: {e: "kline", k: {o: ...}}
  if (Array.isArray(row)) {
    const [time, open, high, low, close, volume] = row; // ccxt, Binance
    return { time, open, high, low, close, volume };
  }
  if (row === null || typeof row !== "object") {
    return {};
  }
  const side = row[price] ?? row.mid ?? row.bid ?? row.ask ?? null;
  if (side !== null && typeof side === "object") { // OANDA
    if (side !== row[price]) {
      throw badInput(`${place}.${price}`, `missing; the prices there are ${shown(["mid", "bid", "ask"].filter((x) => row[x]))}`
        + ": choose one with the option price");
    }
    return { ...fieldsOf(side, place, price), time: row.time, volume: row.volume, complete: row.complete };
  }
  const byName = byPlainName(row, place);
  const found = {};
  for (const [field, names] of Object.entries(NAMES)) {
    const name = names.find((each) => (byName.get(each) ?? null) !== null) ?? names.find((each) => byName.has(each));
    if (name !== undefined) {
      found[field] = byName.get(name);
    }
  }
  const [date, time] = [byName.get("date"), byName.get("time")];
  if (typeof date === "string" && typeof time === "string" && /^\d{1,2}:\d{2}/.test(time)) { // MetaTrader's export
    found.time = `${date} ${time}`;
  }
  const complete = row.complete ?? row.x; // OANDA, Binance
  if (typeof complete === "boolean") {
    found.complete = complete;
  }
  found.ofClock = byName.has("tickvolume") || byName.has("tickvol"); // MetaTrader counts the seconds of its broker's clock
  return found;
}

module.exports = { PRICES, TIMES, fieldsOf, rowsOf };
