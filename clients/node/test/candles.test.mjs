import assert from "node:assert/strict";
import test from "node:test";
import { runInNewContext } from "node:vm";

import { ReversalError, candlesOf, pairOf, timeframeOf } from "@reversal/client";

import { FORMATS } from "./formats.mjs";
import { EXAMPLE } from "./server.mjs";

const HOUR = { timestamp: "2024-01-02T00:00:00Z", open: 1.1, high: 1.2, low: 1.0, close: 1.15 };

function refused(call, path) {
  assert.throws(call, (error) => error instanceof ReversalError && error.code === "BAD_INPUT" && error.path === path);
}

for (const [name, { make, options, dropped = [], withoutVolume }] of Object.entries(FORMATS)) {
  test(`${name} gives the candles as they are`, () => {
    const found = candlesOf(make(EXAMPLE.data), { timeframe: "1h", ...options });
    assert.deepEqual(found.candles, EXAMPLE.data.map(({ volume, ...rest }) => (withoutVolume ? rest : { ...rest, volume })));
    assert.deepEqual(found.dropped.map(({ place }) => place), dropped);
  });
}

test("the open candle is left out, by the clock or by its provider", () => {
  const next = { ...HOUR, timestamp: "2024-01-02T01:00:00Z" };
  const inHour = new Date("2024-01-02T01:59:59Z");
  const found = candlesOf([HOUR, next], { timeframe: "1h", now: inHour });
  assert.deepEqual([found.candles.length, found.dropped[0].place], [1, "rows[1]"]);
  assert.equal(candlesOf([HOUR, next], { timeframe: "1h", now: Date.parse("2024-01-02T02:00:00Z") }).candles.length, 2);
  assert.equal(candlesOf([HOUR, next], { timestamps: "close", timeframe: "1h", now: inHour }).candles.length, 2);
  // Without a timeframe the distance of the candles says how long they are.
  assert.equal(candlesOf([HOUR, next], { now: inHour }).candles.length, 1);
  const incomplete = { time: next.timestamp, complete: false, mid: { o: 1, h: 1, l: 1, c: 1 }, volume: 1 };
  const complete = { ...incomplete, time: HOUR.timestamp, complete: true };
  assert.deepEqual(candlesOf({ candles: [complete, incomplete] }).dropped.map((x) => x.place), ["rows.candles[1]"]);
  // The provider knows better than a clock that is slow.
  assert.equal(candlesOf([complete], { timeframe: "1h", now: new Date("2024-01-02T00:59:59Z") }).candles.length, 1);
});

test("a candle that has not begun is said as such: a zone is missing, or the clock is wrong", () => {
  const next = { ...HOUR, timestamp: "2024-01-02T01:00:00Z" };
  const reasons = (options) => candlesOf([HOUR, next], { timeframe: "1h", ...options }).dropped.map(({ reason }) => reason.split(":")[0]);
  assert.deepEqual(reasons({ now: new Date("2024-01-02T00:59:59Z").getTime() + 1_000 }), ["still open"]);
  assert.throws(() => reasons({ now: new Date("2024-01-01T23:59:59Z") }), /in the future/);
  assert.deepEqual(reasons({ now: new Date("2024-01-02T00:30:00Z"), timestamps: "close" }), ["still open"]);
  const later = candlesOf([HOUR, { ...HOUR, timestamp: "2024-01-02T02:00:00Z" }], { timeframe: "1h", now: Date.parse(next.timestamp) });
  assert.ok(later.dropped[0].reason.startsWith("in the future"));
});

test("a candle of a month ends with the month", () => {
  const month = { ...HOUR, timestamp: "2024-02-01T00:00:00Z" };
  const at = (now) => candlesOf([{ ...HOUR, timestamp: "2024-01-01T00:00:00Z" }, month], { timeframe: "1M", now: new Date(now) });
  assert.equal(at("2024-02-29T23:59:59Z").candles.length, 1);
  assert.equal(at("2024-03-01T00:00:00Z").candles.length, 2);
});

test("a month that begins at 17:00 of New York, or at midnight of a broker, ends where the next begins", () => {
  const first = { ...HOUR, timestamp: "2023-06-01T00:00:00Z" };
  const last = (timestamp, now) => candlesOf([first, { ...HOUR, timestamp }], { timeframe: "1M", now: new Date(now) });
  assert.equal(last("2024-01-31T22:00:00Z", "2024-02-29T22:00:00Z").candles.length, 2);
  assert.equal(last("2024-01-31T22:00:00Z", "2024-02-29T21:59:59Z").candles.length, 1);
  assert.equal(last("2024-02-29T22:00:00Z", "2024-03-31T21:59:59Z").candles.length, 1);
  assert.equal(last("2024-03-01T05:00:00Z", "2024-04-01T05:00:00Z").candles.length, 2);
});

for (const [what, change] of [
  ["a price that is NaN", { high: Number.NaN }],
  ["no price", { close: null }],
  ["an empty text", { open: "" }],
  ["a price of 0", { low: 0 }],
  ["a low above the close", { low: 1.19 }],
  ["a negative volume", { volume: -1 }],
  ["a time that is none", { timestamp: "yesterday" }],
  ["the 30th of February", { timestamp: "2024-02-30T00:00:00Z" }],
  ["no time", { timestamp: null }],
  ["a time beyond all dates", { timestamp: 1e300 }],
  ["a row's number as its time", { timestamp: 17 }],
  ["a price that has no text", { open: Object.create(null) }],
]) {
  test(`a row with ${what} is left out and named`, () => {
    const { candles, dropped } = candlesOf([HOUR, { ...HOUR, timestamp: "2024-01-02T01:00:00Z", ...change }]);
    assert.equal(candles.length, 1);
    assert.deepEqual(dropped.map(({ place }) => place), ["rows[1]"]);
  });
}

test("repeated rows are left out, and a row with other values for the same time is said as such", () => {
  const { candles, dropped } = candlesOf([HOUR, { ...HOUR }, { ...HOUR, close: 1.11 }]);
  assert.equal(candles.length, 1);
  assert.deepEqual(dropped.map(({ reason }) => reason), ["repeats rows[0]", "has the time of rows[0], with other values"]);
});

test("a table whose column of times has an unknown name: the error says which names are read and which are there", () => {
  const { timestamp: bucket, ...prices } = HOUR;
  assert.throws(() => candlesOf([{ bucket, ...prices }]), (error) => {
    const [known, found] = error.message.split("; found ");
    return error.path === "rows[0]" && known.includes("timestamp, time, datetime") && found.includes("bucket, open");
  });
});

test("without timestamps, or without a candle, it throws", () => {
  refused(() => candlesOf([{ open: 1, high: 1, low: 1, close: 1 }]), "rows[0]");
  refused(() => candlesOf([]), "rows");
  refused(() => candlesOf([{ ...HOUR, open: "x" }]), "rows");
  refused(() => candlesOf({ code: 429, message: "limit", status: "error" }), "rows");
  refused(() => candlesOf({ time: [1, 2], open: [1] }), "rows");
  refused(() => candlesOf("2024"), "rows");
  refused(() => candlesOf({ candles: [{ time: HOUR.timestamp, bid: { o: 1, h: 1, l: 1, c: 1 } }] }), "rows.candles[0].mid");
  refused(() => candlesOf({ candles: [{ time: HOUR.timestamp, mid: null, bid: { o: 1, h: 1, l: 1, c: 1 } }] }), "rows.candles[0].mid");
  refused(() => candlesOf([HOUR], { timezone: "Frankfurt" }), "timezone");
  refused(() => candlesOf([HOUR], { now: Number.NaN }), "now");
  refused(() => candlesOf({ "('Close', 'EURUSD=X')": { 1: 1 }, "('Close', 'GBPUSD=X')": { 1: 1 } }), 'rows.*["1"]');
  assert.throws(() => candlesOf({ chart: { result: null, error: { description: "No data found" } } }), /No data found/);
});

for (const [written, zone, utc] of [
  ["2024-07-01 12:00", "America/New_York", "2024-07-01T16:00:00Z"],
  ["2024-01-01 12:00", "America/New_York", "2024-01-01T17:00:00Z"],
  ["2024.03.31 04:00", "Europe/Athens", "2024-03-31T01:00:00Z"],
  ["2024-11-03 01:30", "America/New_York", "2024-11-03T05:30:00Z"], // shown twice that night; the first
  ["2024-07-01T12:00:00+02:00", "America/New_York", "2024-07-01T10:00:00Z"],
  ["20240701", "UTC", undefined],
  ["1719835200", "America/New_York", "2024-07-01T12:00:00Z"],
  [1719835200123456789n, "UTC", "2024-07-01T12:00:00.123Z"],
  ["2024-07-01 14:00:00+02", "America/New_York", "2024-07-01T12:00:00Z"], // PostgreSQL's own text
  ["2024-07-01-05", "UTC", undefined],
  [runInNewContext("new Date(1719835200000)"), "America/New_York", "2024-07-01T12:00:00Z"],
]) {
  test(`the time ${typeof written === "object" ? "of another realm" : written} of ${zone}`, () => {
    const call = () => candlesOf([{ ...HOUR, timestamp: written }], { timezone: zone }).candles[0].timestamp;
    utc === undefined ? refused(call, "rows") : assert.equal(call(), utc);
  });
}

test("names of pairs", () => {
  for (const name of ["EURUSD", "EUR_USD", "eur-usd", "EUR/USD", "EURUSD=X", "OANDA:EUR_USD", "frxEURUSD", "EURUSD.pro", " eurusd "]) {
    assert.equal(pairOf(name), "EUR/USD");
  }
  for (const name of ["BTCUSDT", "EURUSDm", "EUR", "", null, 7, "EUR/USD/GBP"]) {
    refused(() => pairOf(name), "pair");
  }
});

test("names of timeframes", () => {
  const known = {
    "1min": ["M1", "1minute", "1", 1], "5min": ["5m", "M5", "5"], "15min": ["15m", "M15", "PERIOD_M15"], "30min": ["30MIN"],
    "1h": ["H1", "60min", "60", 60, "1H", "1hour", "h"], "4h": ["H4", "240"], "1d": ["D", "D1", "1day", "daily"],
    "1w": ["W1", "1week"], "1M": ["MN1", "1month", "1mo"],
  };
  for (const [name, aliases] of Object.entries(known)) {
    for (const alias of [name, ...aliases]) {
      assert.equal(timeframeOf(alias), name, String(alias));
    }
  }
  for (const name of ["1m", "m", "M", "3M", "2h", "", "soon", null, 7]) {
    refused(() => timeframeOf(name), "timeframe");
  }
});
