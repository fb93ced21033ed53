"use strict";

const { badInput, shown } = require("./errors.cjs");
const { MINUTES, timeframeOf } = require("./names.cjs");
const { PRICES, TIMES, fieldsOf, rowsOf } = require("./tables.cjs");
const { isZone, millisecondsOf, written } = require("./times.cjs");

const MINUTE = 60_000;
const STILL_OPEN = "still open";
const NOT_COMPLETE = "not complete";
const DAY = 1440; // minutes
const DAYS_OF_MONTH = 31;

/**
 * Candles as the server takes them, oldest first, from what databases and providers give: rows of pg, klines of ccxt and
 * Binance, answers of Twelve Data, OANDA and Yahoo, rows of MetaTrader, tables of pandas.
 *
 * Rows that cannot be used, repeated rows and candles that are still open are left out; `dropped` names each. Throws if
 * there is no timestamp, because the order of the candles would be a guess, and if no candle is left.
 *
 * @param {unknown} given rows, or the provider's whole answer
 * @param {{timeframe?: string, timestamps?: "open" | "close", timezone?: string, price?: "mid" | "bid" | "ask",
 *   now?: number | Date}} [options]
 *   timeframe: decides when the last candle ends; without it, the usual distance of the candles does.
 *   timestamps: whether a time is that of the opening or of the closing.
 *   timezone: of times that name no zone, and of MetaTrader's numbers, which are its broker's clock; an IANA name, UTC if
 *     it is not given.
 *   price: which prices of OANDA.
 *   now: the present; the clock of this machine if it is not given.
 */
function candlesOf(given, options = {}) {
  const { timestamps = "open", timezone = "UTC", price = "mid", now = Date.now() } = options;
  if (timestamps !== "open" && timestamps !== "close") {
    throw badInput("timestamps", `must be "open" or "close", not ${shown(timestamps)}`);
  }
  if (!isZone(timezone)) {
    throw badInput("timezone", `must be the name of a time zone, such as UTC or America/New_York, not ${shown(timezone)}`);
  }
  if (!Number.isFinite(Number(now))) {
    throw badInput("now", `must be a Date or milliseconds since 1970, not ${shown(now)}`);
  }
  const rows = rowsOf(given);
  const read = rows.map(({ place, row }) => ({ place, fields: fieldsOf(row, place, price) }));
  if (read.length > 0 && read.every(({ fields }) => fields.time === undefined || fields.time === null)) {
    const { place, row } = rows[0];
    const found = row !== null && typeof row === "object" && !Array.isArray(row) ? `; found ${Object.keys(row).join(", ")}` : "";
    throw badInput(place, "has no timestamp, and neither has any other row; without them the order is a guess. A time is"
      + ` read from one of ${TIMES.join(", ")}${found}`);
  }
  const dropped = [];
  const candles = [];
  for (const { place, fields } of read) {
    const candle = checked(fields, timezone);
    if (typeof candle === "string") {
      dropped.push({ place, reason: candle });
    } else {
      candles.push({ place, ...candle });
    }
  }
  candles.sort((a, b) => a.at - b.at);
  const single = withoutRepeats(candles, dropped);
  const closed = closedOnly(single, dropped, { ...options, timestamps, now: Number(now) });
  if (closed.length === 0) {
    const first = dropped[0];
    const why = first ? `; of ${rows.length}, ${dropped.length} were left out, the first: ${first.place}: ${first.reason}` : "";
    throw badInput("rows", `no candle is left${why}`);
  }
  return { candles: closed.map(({ at, place: _, complete: __, ...candle }) => ({ timestamp: written(at), ...candle })), dropped };
}

/** A sentence about rows that were left out though their period has ended; null if there are none. */
function leftOut(dropped) {
  // An open candle at the end is usual.
  const broken = dropped.filter(({ reason }) => !reason.startsWith(STILL_OPEN) && !reason.startsWith(NOT_COMPLETE));
  return broken.length === 0
    ? null : `${broken.length} rows were left out, the first: ${broken[0].place}: ${broken[0].reason}`;
}

/** The candle with its time in milliseconds, or why the row cannot be used. */
function checked(fields, zone) {
  const at = millisecondsOf(fields.time, zone, fields.ofClock);
  if (Number.isNaN(at)) {
    return `its time ${shown(fields.time)} cannot be read; expected ISO 8601 or a number since 1970`;
  }
  if (fields.complete === false) {
    return `${NOT_COMPLETE}, its provider says`;
  }
  const candle = { at, complete: fields.complete };
  for (const name of PRICES) {
    candle[name] = numberOf(fields[name]);
    if (!(candle[name] > 0) || candle[name] === Infinity) {
      return `${name} is ${shown(fields[name])}, not a price`;
    }
  }
  const { open, high, low, close } = candle;
  if (low > Math.min(open, close) || high < Math.max(open, close)) {
    return `open ${open} and close ${close} are not within low ${low} and high ${high}`;
  }
  if (fields.volume !== undefined && fields.volume !== null && fields.volume !== "") {
    candle.volume = numberOf(fields.volume);
    if (!(candle.volume >= 0) || candle.volume === Infinity) {
      return `volume is ${shown(fields.volume)}`;
    }
  }
  return candle;
}

/** A number, or a number written as text, as drivers give decimals. An empty text is no number, whatever Number says. */
function numberOf(value) {
  if (typeof value === "string") {
    return value.trim() === "" ? Number.NaN : Number(value);
  }
  if (typeof value === "number" || typeof value === "bigint") {
    return Number(value);
  }
  // Decimal.js, pg-decimal and others convert themselves to text.
  return typeof value?.toString === "function" && typeof value === "object" && !Array.isArray(value)
    ? Number(value.toString()) : Number.NaN;
}

function withoutRepeats(candles, dropped) {
  const single = [];
  for (const candle of candles) {
    const before = single.at(-1);
    if (before?.at !== candle.at) {
      single.push(candle);
      continue;
    }
    const same = [...PRICES, "volume"].every((name) => before[name] === candle[name]);
    dropped.push({
      place: candle.place,
      reason: `${same ? "repeats" : "has the time of"} ${before.place}${same ? "" : ", with other values"}`,
    });
  }
  return single;
}

/** The candles whose period has ended: by the word of the provider, else by the clock. */
function closedOnly(candles, dropped, { timeframe, timestamps, now }) {
  const name = timeframe === undefined ? undefined : timeframeOf(timeframe);
  const minutes = name === undefined ? usualDistance(candles) / MINUTE : MINUTES[name];
  return candles.filter((candle) => {
    const end = timestamps === "close" ? candle.at : endOf(candle.at, minutes);
    if (candle.complete || !(end > now)) {
      return true;
    }
    const start = timestamps === "close" ? end - (minutes ?? DAYS_OF_MONTH * DAY) * MINUTE : candle.at;
    dropped.push({
      place: candle.place,
      reason: start > now
        ? `in the future: its period begins at ${written(start)}; is the option timezone missing, or this machine's clock wrong?`
        : `${STILL_OPEN}: its period ends at ${written(end)}`,
    });
    return false;
  });
}

/**
 * When the period ends that begins at `at`. A month begins at midnight of some zone or at 17:00 of New York, so up to 14
 * hours before or 12 after the month of UTC: it ends as far from the next one.
 */
function endOf(at, minutes) {
  if (minutes !== null) {
    return at + minutes * MINUTE;
  }
  const month = new Date(at + 15 * 60 * MINUTE);
  const [first, next] = [0, 1].map((i) => Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + i));
  return at - first + next;
}

/** The median distance of neighbours, in milliseconds; 0 for a single candle. */
function usualDistance(candles) {
  const distances = candles.slice(1).map((candle, i) => candle.at - candles[i].at).sort((a, b) => a - b);
  return distances.length === 0 ? 0 : distances[Math.floor(distances.length / 2)];
}

module.exports = { candlesOf, leftOut };
