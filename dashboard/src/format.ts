/** Numbers and times as text. A number is rounded to what it supports, and has its unit. */

const MINUS = "−";
export const NONE = "–";

/** A count: 12,345. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** A number with so many significant digits, without an exponent: 0.0123, 12.3, 1,230. */
export function significant(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return NONE;
  const text = Math.abs(value).toLocaleString("en-US", { maximumSignificantDigits: digits });
  return value < 0 && Number(text.replaceAll(",", "")) !== 0 ? MINUS + text : text;
}

/** A number with so many decimals: −0.73. */
export function fixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return NONE;
  const text = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return value < 0 && /[1-9]/.test(text) ? MINUS + text : text;
}

/** A share as percent: 0.123 is 12.3 %. */
export function percent(share: number, decimals = 1): string {
  return Number.isFinite(share) ? `${fixed(share * 100, decimals)} %` : NONE;
}

/** A probability or a confidence, with three decimals. */
export function probability(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : fixed(value, 3);
}

/** A duration in seconds: 87 µs, 1.23 ms, 2.1 s, 3 min, 2 h 5 min, 4 d 3 h. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return NONE;
  if (seconds === 0) return "0 s";
  if (seconds < 0.9995e-3) return `${significant(seconds * 1e6, 2)} µs`;
  if (seconds < 0.9995) return `${significant(seconds * 1e3, 3)} ms`;
  if (seconds < 59.5) return `${significant(seconds, 2)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${hours / 24} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A size in bytes: 512 B, 1.5 KiB, 210 MiB. */
export function bytes(size: number): string {
  let value = size;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1023.5 || unit === "GiB") return `${unit === "B" ? count(value) : significant(value, 3)} ${unit}`;
    value /= 1024;
  }
  return NONE;
}

/** A rate a second: 0.4 /s, 1,230 /s. */
export function rate(perSecond: number): string {
  return `${perSecond === 0 ? "0" : significant(perSecond, perSecond < 1 ? 1 : 3)} /s`;
}

/** A time of day in the viewer's zone: 14:03:07. */
export function clock(at: string | Date): string {
  return new Date(at).toLocaleTimeString("en-GB");
}

/** A date and a time in the viewer's zone: 2026-11-30 14:03. */
export function moment(at: string | Date): string {
  const date = new Date(at);
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** The same time in UTC, for a title that is shown on hover: 2026-11-30 13:03:07 UTC. */
export function utc(at: string | Date): string {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
