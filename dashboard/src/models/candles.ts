/** Reads candles that were pasted or uploaded: JSON as for a prediction, a list of candles, or CSV with a header. */
import type { Candle } from "../contract.ts";
import { count } from "../format.ts";
import { brokenAt } from "./json_place.ts";

/** What was read. `lines` has the line of each candle in a CSV; null for JSON. Other fields go to the server as they are. */
export type Read = {
  pair?: string;
  timeframe?: string;
  candles: number;
  fields: { data?: Candle[]; [name: string]: unknown };
  lines: number[] | null;
};

/** The text cannot be used. The message names the place, and what to do. */
export class Unreadable extends Error {}

const PRICES = ["open", "high", "low", "close"] as const;
const NAMES: Record<string, string> = {
  timestamp: "timestamp", time: "timestamp", datetime: "timestamp", "date time": "timestamp", "gmt time": "timestamp",
  open_time: "timestamp", date: "date", open: "open", high: "high", low: "low", close: "close", volume: "volume",
  vol: "volume", tickvol: "volume", tick_volume: "volume",
};
const EXAMPLE = "timestamp,open,high,low,close,volume";
const PASSED_ON = ["timestamps", "features", "features_scaled", "candle_time"];

/** Read a text. Throws Unreadable. */
export function readCandles(text: string): Read {
  const bare = text.replace(/^\uFEFF/, "");
  if (bare.trim() === "") throw new Unreadable("There are no candles yet. Paste them, or choose a file.");
  return /^\s*[[{]/.test(bare) ? readJson(bare) : readCsv(bare);
}

function readJson(text: string): Read {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const place = brokenAt(text);
    throw new Unreadable(`Line ${place?.line ?? 1}, column ${place?.column ?? 1}: this is not valid JSON. Look for a missing comma, quote or bracket there.`);
  }
  const body = Array.isArray(value) ? { data: value } : (value as { [name: string]: unknown });
  const fields: Read["fields"] = {};
  for (const name of PASSED_ON) if (body[name] !== undefined) fields[name] = body[name];
  const read: Read = { candles: 0, fields, lines: null };
  if (typeof body["pair"] === "string") read.pair = body["pair"];
  if (typeof body["timeframe"] === "string") read.timeframe = body["timeframe"];
  const data = body["data"];
  if (data === undefined && body["features"] !== undefined) return read;
  if (!Array.isArray(data)) {
    throw new Unreadable("The JSON has no candles. Give a list of candles, or an object whose field data is that list.");
  }
  if (data.length === 0) throw new Unreadable("The list of candles is empty. Give at least as many as the versions require.");
  fields.data = data.map((candle, index) => checked(candle, `Candle ${index + 1}`));
  read.candles = data.length;
  return read;
}

function checked(value: unknown, place: string): Candle {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Unreadable(`${place}: must be an object such as {"open": 1.08, "high": 1.09, "low": 1.07, "close": 1.08}.`);
  }
  const candle = value as { [name: string]: unknown };
  for (const name of PRICES) {
    const price = candle[name];
    if (price === undefined) throw new Unreadable(`${place}: ${name} is missing. Each candle needs open, high, low and close.`);
    if (typeof price !== "number") throw new Unreadable(`${place}, ${name}: must be a number, not ${JSON.stringify(price)}.`);
  }
  ordered(value as Candle, place);
  return value as Candle;
}

/** Throw Unreadable if a candle's prices contradict each other. */
function ordered(candle: Candle, place: string): void {
  for (const name of ["open", "close", "low"] as const) {
    if (candle.high < candle[name]) {
      throw new Unreadable(`${place}, high: ${candle.high} is below the ${name} of ${candle[name]}. The high must be the largest price; are two columns swapped?`);
    }
    if (candle.low > candle[name]) {
      throw new Unreadable(`${place}, low: ${candle.low} is above the ${name} of ${candle[name]}. The low must be the smallest price; are two columns swapped?`);
    }
  }
}

function readCsv(text: string): Read {
  const lines = text.split(/\r\n|\n|\r/);
  const first = lines.findIndex((line) => line.trim() !== "");
  const separator = separatorOf(lines[first] ?? "");
  const header = cells(lines[first] ?? "", separator).map((name) => name.toLowerCase().replace(/^<|>$/g, ""));
  const columns = header.map((name) => NAMES[name] ?? null);
  if (header.some((name) => name !== "" && Number.isFinite(Number(name)))) {
    throw new Unreadable(`Line ${first + 1}: the header is missing. Put a line with the names of the columns first, such as ${EXAMPLE}.`);
  }
  for (const name of PRICES) {
    if (!columns.includes(name)) {
      const has = header.map((each) => `"${each}"`).join(", ");
      throw new Unreadable(`Line ${first + 1}: there is no column ${name}. The header has ${has}; name its columns such as ${EXAMPLE}.`);
    }
  }
  const read: Read = { candles: 0, fields: { data: [] }, lines: [] };
  for (let index = first + 1; index < lines.length; index += 1) {
    const line = lines[index] ?? "";
    if (line.trim() === "") continue;
    const place = `Line ${index + 1}`;
    const values = cells(line, separator);
    if (values.length !== header.length) {
      const why = separator === "," && values.length > header.length ? " Are there decimal commas? Then separate the columns with ;" : "";
      throw new Unreadable(`${place}: ${count(values.length)} values, but the header has ${count(header.length)} columns.${why}`);
    }
    read.fields.data?.push(candleOf(columns, header, values, place, separator));
    read.lines?.push(index + 1);
  }
  read.candles = read.lines?.length ?? 0;
  if (read.candles === 0) throw new Unreadable(`Line ${first + 1}: no candles follow the header. Put each candle on a line of its own.`);
  return read;
}

function candleOf(columns: (string | null)[], header: string[], values: string[], place: string, separator: string): Candle {
  const candle: Candle = { open: 0, high: 0, low: 0, close: 0 };
  const stamp: string[] = [];
  columns.forEach((name, at) => {
    const value = values[at] ?? "";
    if (name === null || (name === "volume" && value === "")) return;
    if (name === "date" || name === "timestamp") {
      if (value === "") throw new Unreadable(`${place}, column ${header[at]}: the time is missing. Give every candle a time, or leave the column out.`);
      if (name === "date") stamp.unshift(value);
      else stamp.push(value);
      return;
    }
    const written = separator === "," ? value : value.replace(",", ".");
    const parsed = Number(written);
    if (written === "" || !Number.isFinite(parsed)) {
      const said = value === "" ? "the value is missing" : `"${value}" is not a number`;
      throw new Unreadable(`${place}, column ${header[at]}: ${said}. Write it such as 1.0842.`);
    }
    candle[name as "open"] = parsed;
  });
  ordered(candle, place);
  if (stamp.length > 0) candle.timestamp = timestampOf(stamp.join(" "));
  return candle;
}

/** A time as the server reads it: a number, or ISO 8601. MetaTrader writes days with dots. */
function timestampOf(text: string): string | number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  return text.replace(/^(\d{4})[./](\d{2})[./](\d{2})/, "$1-$2-$3");
}

/** The separator that the header has most of. */
function separatorOf(header: string): string {
  const often = (separator: string): number => header.split(separator).length;
  return [",", ";", "\t"].reduce((best, each) => (often(each) > often(best) ? each : best));
}

function cells(line: string, separator: string): string[] {
  return line.split(separator).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
}

/** The server's complaint with the line that it is about: it counts candles from 0, a reader counts lines. */
export function inText(read: Read, detail: { path: string; message: string }): string {
  const found = /^data\[(\d+)\](?:\.(\w+))?/.exec(detail.path);
  if (found === null) return `${detail.path}: ${detail.message}`;
  const index = Number(found[1]);
  const place = read.lines === null ? `Candle ${index + 1}` : `Line ${read.lines[index] ?? index + 1}`;
  return `${place}${found[2] === undefined ? "" : `, column ${found[2]}`}: ${detail.message}`;
}
