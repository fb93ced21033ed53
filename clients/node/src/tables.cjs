"use strict";

const { badInput, shown } = require("./errors.cjs");

// Names of a field without case, blanks, underscores and angle brackets. Providers differ in nothing else.
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

function plainName(key) {
  return key.toLowerCase().replace(/[\s_<>]/g, "");
}

/**
 * The rows of what a provider answers, each with its place in it: an array, or an object around it.
 * @returns {{place: string, row: unknown}[]}
 */
function rowsOf(given) {
  if (Array.isArray(given)) {
    return given.map((row, i) => ({ place: `rows[${i}]`, row }));
  }
  if (given === null || typeof given !== "object") {
    throw badInput("rows", `must be an array of candles, or a provider's answer with one, not ${shown(given)}`);
  }
  const yahoo = given.chart?.result?.[0] ?? (given.indicators ? given : null);
  if (yahoo) {
    return ofColumns({ timestamp: yahoo.timestamp ?? [], ...yahoo.indicators?.quote?.[0] });
  }
  for (const key of ["candles", "values", "rows", "data", "result", "klines"]) {
    if (Array.isArray(given[key])) {
      if (key === "data" && Array.isArray(given.columns)) {
        return ofSplit(given);
      }
      return given[key].map((row, i) => ({ place: `rows.${key}[${i}]`, row }));
    }
  }
  if (Object.values(given).some((column) => column !== null && typeof column === "object")) {
    return ofColumns(given);
  }
  const message = given.message ?? given.error ?? given["Error Message"] ?? given.errorMessage;
  const said = typeof message === "string" ? `; the provider says: ${message}` : "";
  throw badInput("rows", `has no candles, only the fields ${shown(Object.keys(given))}${said}`);
}

/** Columns: arrays of one length, or objects by index as pandas' to_json writes them. */
function ofColumns(columns) {
  const entries = Object.entries(columns).filter(([, column]) => column !== null && typeof column === "object");
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
      ...Object.fromEntries(columns.map((name, j) => [String(name), values[j]])),
    },
  }));
}

/**
 * The fields of one row, as the provider wrote them; undefined for those that it does not have.
 * @returns {{time?: unknown, open?: unknown, high?: unknown, low?: unknown, close?: unknown, volume?: unknown,
 *   complete?: boolean}}
 */
function fieldsOf(row, place, price) {
  if (Array.isArray(row)) {
    const [time, open, high, low, close, volume] = row; // ccxt, Binance
    return { time, open, high, low, close, volume };
  }
  if (row === null || typeof row !== "object") {
    return {};
  }
  const side = row[price] ?? (row.mid ?? row.bid ?? row.ask);
  if (side !== null && typeof side === "object") { // OANDA
    if (row[price] === undefined) {
      throw badInput(`${place}.${price}`, `missing; the prices there are ${shown(["mid", "bid", "ask"].filter((x) => row[x]))}`
        + ": choose one with the option price");
    }
    return { ...fieldsOf(side, place, price), time: row.time, volume: row.volume, complete: row.complete };
  }
  const byName = new Map(Object.entries(row).map(([key, value]) => [plainName(key), value]));
  const found = {};
  for (const [field, names] of Object.entries(NAMES)) {
    const name = names.find((each) => byName.has(each) && byName.get(each) !== undefined);
    if (name !== undefined) {
      found[field] = byName.get(name);
    }
  }
  const [date, time] = [byName.get("date"), byName.get("time")];
  if (typeof date === "string" && typeof time === "string" && /^\d{1,2}:\d{2}/.test(time)) { // MetaTrader's export
    found.time = `${date} ${time}`;
  }
  if (typeof row.complete === "boolean") {
    found.complete = row.complete;
  }
  return found;
}

module.exports = { PRICES, TIMES, fieldsOf, rowsOf };
