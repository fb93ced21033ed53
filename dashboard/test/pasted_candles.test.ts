import assert from "node:assert/strict";
import { test } from "node:test";

import { inText, readCandles, Unreadable } from "../src/models/candles.ts";
import { brokenAt } from "../src/models/json_place.ts";

const fails = (text: string, ...parts: string[]): void => {
  assert.throws(
    () => readCandles(text),
    (error: unknown) => {
      assert.ok(error instanceof Unreadable, String(error));
      for (const part of parts) assert.ok(error.message.includes(part), `"${part}" is not in: ${error.message}`);
      return true;
    },
  );
};

test("CSV with commas, names in any case, blank lines and a column that is not known", () => {
  const read = readCandles("\uFEFFTIMESTAMP,Open,HIGH,low,Close,Volume,spread\r\n2026-01-05T08:00:00Z,1.1,1.2,1.0,1.15,,3\r\n\r\n1767600000,1.15,1.2,1.1,1.1,7,3\r\n");
  assert.deepEqual(read.fields.data, [
    { open: 1.1, high: 1.2, low: 1.0, close: 1.15, timestamp: "2026-01-05T08:00:00Z" },
    { open: 1.15, high: 1.2, low: 1.1, close: 1.1, volume: 7, timestamp: 1767600000 },
  ]);
  assert.deepEqual(read.lines, [2, 4]);
  assert.equal(read.candles, 2);
});

test("CSV with semicolons and decimal commas, and with tabs and MetaTrader's two columns of time", () => {
  assert.deepEqual(readCandles("time;open;high;low;close\n2026-01-05 08:00;1,1;1,2;1,0;1,15").fields.data, [
    { open: 1.1, high: 1.2, low: 1.0, close: 1.15, timestamp: "2026-01-05 08:00" },
  ]);
  assert.deepEqual(readCandles("<TIME>\t<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\n08:00\t2026.01.05\t1\t2\t0.5\t1\t9").fields.data, [
    { open: 1, high: 2, low: 0.5, close: 1, volume: 9, timestamp: "2026-01-05 08:00" },
  ]);
});

test("candles without times have no timestamp", () => {
  assert.deepEqual(readCandles('"open","high","low","close"\n"1","2","0.5","1"').fields.data, [{ open: 1, high: 2, low: 0.5, close: 1 }]);
});

test("errors of a CSV name the line, the column and what to do", () => {
  const head = "time,open,high,low,close\n";
  fails("  \n", "Paste them");
  fails("2026-01-05T08:00:00Z,1.1,1.2,1.0,1.15", "Line 1", "header", "timestamp,open,high,low,close,volume");
  fails("\ntime,open,high,low\n1,1,2,0.5", "Line 2", "no column close", '"low"');
  fails(`${head}1,1,2,0.5,1\n2,1,2,0.5`, "Line 3", "4 values", "5 columns");
  fails(`${head}1,1,1,1,2,0,5,1`, "Line 2", "decimal commas", ";");
  fails(`${head}1,1,2,0.5,1\n\n2,1,two,0.5,1`, "Line 4", "column high", '"two"', "1.0842");
  fails(`${head}1,1,2,0.5,`, "Line 2", "column close", "missing");
  fails(`${head},1,2,0.5,1`, "Line 2", "column time", "missing");
  fails(`${head}1,1,0.9,0.5,0.6`, "Line 2", "high", "0.9", "below the open of 1");
  fails(`${head}1,1,2,1.5,1.7`, "Line 2", "low", "1.5", "above the open of 1");
  fails(head, "Line 1", "no candles");
});

test("JSON: a body of a prediction keeps its pair, its timeframe and what else the server reads", () => {
  const candle = { open: 1, high: 2, low: 0.5, close: 1, timestamp: 1767600000 };
  const read = readCandles(JSON.stringify({ pair: "GBP/USD", timeframe: "4h", data: [candle], timestamps: "close", user_id: "u", version: "v3.0" }));
  assert.deepEqual(read, { pair: "GBP/USD", timeframe: "4h", candles: 1, lines: null, fields: { timestamps: "close", data: [candle] } });
  assert.deepEqual(readCandles(JSON.stringify([candle])).fields.data, [candle]);
  assert.deepEqual(readCandles('{"features": [[0.1]]}').fields, { features: [[0.1]] });
});

test("errors of JSON name the candle and the field, or the line and the column", () => {
  fails('[{"open": 1,\n "high": }]', "Line 2, column 10", "not valid JSON");
  fails("[]", "empty");
  fails('{"candles": []}', "data");
  fails('[{"open": 1, "high": 2, "low": 0.5}]', "Candle 1", "close is missing");
  fails('[{"open": 1, "high": 2, "low": 0.5, "close": 1}, {"open": "1", "high": 2, "low": 0.5, "close": 1}]', "Candle 2, open", '"1"');
  fails("[[1, 2, 0.5, 1]]", "Candle 1", "object");
});

test("where a text stops being JSON", () => {
  for (const valid of ['{"a": [1, -0.5e3, true, null, "x\\n\\u00e9"], "b": {}}', " [] ", "[[], {}]"]) {
    assert.doesNotThrow(() => JSON.parse(valid));
    assert.equal(brokenAt(valid), null);
  }
  for (const [text, line, column] of [
    ["[1, 2", 1, 6],
    ["[1,\n 2,\n]", 3, 1],
    ["[1] x", 1, 5],
    ['{"a": 1\n"b": 2}', 2, 1],
    ["[01]", 1, 3],
    ["{a: 1}", 1, 2],
    ['["a\nb"]', 1, 2],
  ] as const) {
    assert.throws(() => JSON.parse(text));
    assert.deepEqual(brokenAt(text), { line, column }, text);
  }
});

test("a complaint of the server names the line of the text", () => {
  const csv = readCandles("open,high,low,close\n1,2,0.5,1\n\n1,2,0.5,1");
  assert.equal(inText(csv, { path: "data[1].high", message: "must be below 1e9" }), "Line 4, column high: must be below 1e9");
  const json = readCandles('[{"open": 1, "high": 2, "low": 0.5, "close": 1}]');
  assert.equal(inText(json, { path: "data[0]", message: "is wrong" }), "Candle 1: is wrong");
  assert.equal(inText(json, { path: "pair", message: "is wrong" }), "pair: is wrong");
});
