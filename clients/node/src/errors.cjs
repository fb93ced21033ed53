"use strict";

/**
 * Codes of errors that arise in the client. All other codes come from the server (docs/errors.md).
 *
 * retryable: whether the same request can succeed later.
 */
const CODES = Object.freeze({
  NO_CONNECTION: "NO_CONNECTION", // nothing listens at the address, or its name is unknown
  CONNECTION_LOST: "CONNECTION_LOST", // the connection ended before the answer was complete
  TIMEOUT: "TIMEOUT", // no answer within timeoutMs
  ABORTED: "ABORTED", // by the caller's AbortSignal
  CIRCUIT_OPEN: "CIRCUIT_OPEN", // several requests in a row failed; this one was not sent
  BAD_ANSWER: "BAD_ANSWER", // the answer is not this service's: a proxy, or another server
  BAD_INPUT: "BAD_INPUT", // an argument of the client cannot be used; nothing was sent
});

const RETRYABLE = new Set([
  CODES.NO_CONNECTION,
  CODES.CONNECTION_LOST,
  CODES.TIMEOUT,
  CODES.CIRCUIT_OPEN,
  "OVERLOADED",
  "MODEL_UNAVAILABLE",
  "STORE_UNAVAILABLE",
  "DEADLINE_EXCEEDED",
  "RATE_LIMITED",
]);

/** Every error of this package. The message is the server's sentence, if the server answered. */
class ReversalError extends Error {
  /**
   * @param {string} message
   * @param {{code: string, status?: number, path?: string | null, details?: object[], requestId?: string | null,
   *   retryAfterMs?: number | null, cause?: unknown}} facts
   */
  constructor(message, { code, status = 0, path = null, details = [], requestId = null, retryAfterMs = null, cause }) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ReversalError";
    this.code = code;
    this.status = status;
    this.path = path;
    this.details = details;
    this.requestId = requestId;
    this.retryAfterMs = retryAfterMs;
    this.retryable = RETRYABLE.has(code) || (code === CODES.BAD_ANSWER && (status >= 500 || status === 429));
  }

  /** For logs: an Error has no enumerable message. */
  toJSON() {
    const { name, message, code, status, path, requestId, retryable } = this;
    return { name, message, code, status, path, requestId, retryable };
  }
}

/** An argument that cannot be used. `path` is its place, such as `rows[3].close`. */
function badInput(path, message) {
  return new ReversalError(`${path}: ${message}`, { code: CODES.BAD_INPUT, path });
}

/** Throws if `given` has a name that is not one of `names`: an option that is ignored is a mistake without a word. */
function checkNames(where, given, names) {
  if (given === null || typeof given !== "object" || Array.isArray(given)) {
    throw badInput(where, `must be an object, not ${shown(given)}`);
  }
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw badInput(`${where}.${unknown}`, `there is no such option; there are ${names.join(", ")}`);
  }
}

/** A value for a message: short, and never an error itself. */
function shown(value) {
  let text;
  try {
    text = typeof value === "bigint" ? `${value}n` : JSON.stringify(value);
  } catch {
    text = undefined;
  }
  text = text === undefined ? String(value) : text;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

module.exports = { CODES, ReversalError, badInput, checkNames, shown };
