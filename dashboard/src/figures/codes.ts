/** What each code means, in one sentence. docs/errors.md and docs/market-data.md have more. */

export type Kind = "error" | "refusal" | "warning";

// What went wrong in the server; all other codes of errors are refusals of a request.
const FAULTS = new Set(["INTERNAL", "MODEL_UNAVAILABLE", "STORE_UNAVAILABLE", "DEADLINE_EXCEEDED"]);

const MEANINGS: Record<string, string> = {
  MALFORMED_JSON: "The body was not JSON, or not compressed as its header says.",
  MALFORMED_REQUEST: "The bytes were not HTTP.",
  UNAUTHORIZED: "There was no token, or a wrong one.",
  FORBIDDEN: "The token may not do this, or the host or origin is not allowed.",
  NOT_FOUND: "There is no such endpoint or model.",
  UNKNOWN_VERSION: "A version was named that does not exist.",
  UNKNOWN_EXPERIMENT: "An experiment was named that does not exist.",
  METHOD_NOT_ALLOWED: "The endpoint takes another method.",
  CONFLICT: "The present state forbade it.",
  PAYLOAD_TOO_LARGE: "The body had too many bytes.",
  UNSUPPORTED_MEDIA_TYPE: "The body's type was not JSON, or its compression is unknown.",
  EXPECTATION_FAILED: "The Expect header asked for something that is not supported.",
  VALIDATION_ERROR: "A value had a wrong type, form or range. The client must be corrected.",
  INSUFFICIENT_DATA: "Too few candles for the version.",
  RATE_LIMITED: "Too many wrong tokens came from one address.",
  MODEL_UNAVAILABLE: "The version was not loaded, or failed.",
  STORE_UNAVAILABLE: "The store was away. Predictions go on; management calls fail.",
  OVERLOADED: "Too many requests were in progress. Clients should try again later.",
  DEADLINE_EXCEEDED: "A request's time was over before its work began.",
  HTTP_VERSION_NOT_SUPPORTED: "The client spoke another version of HTTP.",
  INTERNAL: "A bug. The server's log has the details.",
  FEW_CANDLES: "Enough candles, but fewer than recommended.",
  NO_STAGE2: "A reversal was found, but the version cannot name its direction.",
  NO_TIMESTAMPS: "Candles without timestamps were taken in the order given.",
  MIXED_TIME_ZONES: "Some timestamps name a zone and some do not.",
  SPACING: "The distance of the timestamps does not fit the timeframe.",
  OPEN_CANDLE: "The last candle had not closed yet.",
  FUTURE_CANDLE: "The last candle lies in the future: a clock or a zone is wrong.",
  OUT_OF_RANGE: "The input lies far outside the version's training data.",
};

export function meaningOf(code: string): string {
  return MEANINGS[code] ?? "";
}

export function kindOf(code: string, of: "errors" | "warnings"): Kind {
  if (of === "warnings") return "warning";
  return FAULTS.has(code) ? "error" : "refusal";
}

/** One row for each code that was counted: errors first, then refusals, then warnings; the most frequent first. */
export type CodeRow = { code: string; kind: Kind; minute: number; hour: number };

type Counted = { errors: Record<string, number>; warnings: Record<string, number> };

export function codeRows(minute: Counted, hour: Counted): CodeRow[] {
  const rows: CodeRow[] = [];
  for (const field of ["errors", "warnings"] as const)
    for (const code of new Set([...Object.keys(hour[field]), ...Object.keys(minute[field])]))
      rows.push({ code, kind: kindOf(code, field), minute: minute[field][code] ?? 0, hour: Math.max(hour[field][code] ?? 0, minute[field][code] ?? 0) });
  const order: Kind[] = ["error", "refusal", "warning"];
  return rows.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || b.hour - a.hour || a.code.localeCompare(b.code));
}

/** How many errors, refusals or warnings a span had. */
export function numberOf(kind: Kind, span: Counted): number {
  const of = kind === "warning" ? "warnings" : "errors";
  return Object.entries(span[of]).reduce((sum, [code, count]) => sum + (kindOf(code, of) === kind ? count : 0), 0);
}
