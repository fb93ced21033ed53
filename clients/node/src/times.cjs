"use strict";

// A number below each limit is read in its unit. Below the first it is a row's number or a price, above the last nothing.
const TIMES_FROM = 1e8;
const SECONDS_BELOW = 1e11;
const MILLISECONDS_BELOW = 1e14;
const MICROSECONDS_BELOW = 1e17;
const NANOSECONDS_BELOW = 1e20;

const TEXT =
  /^(\d{4})[-./](\d{1,2})[-./](\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?$/i;

/**
 * Milliseconds since 1970 of what providers write as a time: a Date, ISO 8601 with any fraction, `2024.03.01 10:00`, or
 * seconds, milliseconds, microseconds or nanoseconds since 1970 as a number, a bigint or text. NaN if it is none of
 * these. A text without a zone is a time in `zone`.
 * @param {unknown} value
 * @param {string} zone an IANA name, such as UTC or America/New_York
 * @param {boolean} [ofClock] whether numbers, too, are times of a clock in `zone`
 * @returns {number}
 */
function millisecondsOf(value, zone, ofClock = false) {
  if (value !== null && typeof value === "object") {
    const instant = value.valueOf?.(); // a Date, also one of another realm, or of dayjs and luxon
    return typeof instant === "number" ? instant : Number.NaN;
  }
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint") {
    return Number.NaN;
  }
  const text = String(value).trim();
  if (typeof value !== "string" || /^\d{9,19}(\.\d+)?$/.test(text)) {
    const instant = ofNumber(Number(text));
    return ofClock && !Number.isNaN(instant) ? inZone(instant, zone) : instant;
  }
  const found = TEXT.exec(text);
  return found ? ofParts(found, zone) : Number.NaN;
}

function ofNumber(value) {
  if (!(value >= TIMES_FROM && value < NANOSECONDS_BELOW)) {
    return Number.NaN;
  }
  if (value < SECONDS_BELOW) {
    return Math.round(value * 1e3);
  }
  return Math.round(value < MILLISECONDS_BELOW ? value : value < MICROSECONDS_BELOW ? value / 1e3 : value / 1e6);
}

function ofParts([, year, month, day, hour, minute = "0", second = "0", fraction = "", written], zone) {
  const parts = [year, month, day, hour ?? 0, minute, second].map(Number);
  const utc = Date.UTC(parts[0], parts[1] - 1, parts[2], parts[3], parts[4], parts[5]);
  const back = new Date(utc);
  const same = [
    back.getUTCFullYear(), back.getUTCMonth() + 1, back.getUTCDate(), back.getUTCHours(), back.getUTCMinutes(),
  ].every((part, i) => part === parts[i]);
  if (!same || parts[5] > 59 || (hour === undefined && /^[+-]/.test(written ?? ""))) {
    return Number.NaN; // Date would take the 31st of February for the 3rd of March
  }
  const milliseconds = fraction ? Math.floor(Number(`0.${fraction}`) * 1e3) : 0;
  if (written === undefined) {
    return inZone(utc, zone) + milliseconds;
  }
  const offset = /^([+-])(\d{2}):?(\d{2})?$/.exec(written);
  const minutes = offset ? Number(`${offset[1]}1`) * (Number(offset[2]) * 60 + Number(offset[3] ?? 0)) : 0;
  return utc - minutes * 60_000 + milliseconds;
}

const formats = new Map();

/** The instant at which a clock in `zone` shows this time. In the hour that a clock shows twice, the first one. */
function inZone(shown, zone) {
  if (zone === "UTC") {
    return shown;
  }
  const first = shown - offsetAt(shown - offsetAt(shown, zone), zone);
  const earlier = shown - offsetAt(shown - 86_400_000, zone);
  return earlier < first && earlier + offsetAt(earlier, zone) === shown ? earlier : first;
}

/** How far a clock in `zone` is ahead of UTC, in milliseconds. */
function offsetAt(instant, zone) {
  if (!formats.has(zone)) {
    formats.set(zone, new Intl.DateTimeFormat("en-US", {
      timeZone: zone, hourCycle: "h23", era: "short",
      year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
    }));
  }
  const parts = Object.fromEntries(formats.get(zone).formatToParts(instant).map(({ type, value }) => [type, value]));
  const clock = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second);
  return clock - Math.floor(instant / 1e3) * 1e3;
}

/** Whether the name is a time zone that this Node knows. */
function isZone(zone) {
  try {
    return typeof zone === "string" && Boolean(new Intl.DateTimeFormat("en-US", { timeZone: zone }));
  } catch {
    return false;
  }
}

/** ISO 8601 in UTC, without milliseconds if there are none. */
function written(milliseconds) {
  return new Date(milliseconds).toISOString().replace(".000Z", "Z");
}

module.exports = { isZone, millisecondsOf, written };
