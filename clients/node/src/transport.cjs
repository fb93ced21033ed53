"use strict";

const { CircuitBreaker } = require("./breaker.cjs");
const { CODES, ReversalError, badInput, shown } = require("./errors.cjs");

const LONGEST_TIMEOUT_MS = 60_000; // what X-Request-Timeout-Ms may say
const LONGEST_TIMER_MS = 2 ** 31 - 1; // a longer one ends at once
// The pause before the second try if there was no connection. A restarting server needs about that long to listen.
const PAUSE_MS = 200;

// Codes of Node and of its fetch. With these, and whatever fails in these calls of the system, no byte of the request has
// left.
const NOT_SENT = new Set([
  "ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ENOENT", "EACCES", "UND_ERR_CONNECT_TIMEOUT",
  "bad port", // fetch has a list of ports that it never asks, such as 6000 and 10080
]);
const BEFORE_SENDING = new Set(["connect", "getaddrinfo"]);
const OF_TLS = /CERT|WRONG_VERSION|^UNABLE_TO_/;

/** Requests over HTTP: envelope, deadline, one retry where it is safe, and the circuit breaker. */
class Transport {
  /** @param {{url: string, token?: string, timeoutMs: number, fetch: typeof fetch}} options */
  constructor({ url, token, timeoutMs, fetch }) {
    this.base = baseOf(url);
    this.timeoutMs = timeoutOf(timeoutMs);
    this.fetch = fetch;
    const bearer = headerOf("token", token ?? "");
    this.headers = bearer ? { Authorization: `Bearer ${bearer}` } : {};
    this.breaker = new CircuitBreaker();
  }

  /**
   * The answer's `data`; the whole answer, if the endpoint is `bare` (without an envelope); text, if `text` is set.
   * Throws ReversalError. `announce`: whether the server is told how long the client waits.
   */
  async send(method, path, { body, signal, timeoutMs, requestId: id, announce = false, text = false, bare = false } = {}) {
    const deadline = performance.now() + timeoutOf(timeoutMs ?? this.timeoutMs);
    const requestId = headerOf("requestId", id ?? "") || newId();
    if (signal && typeof signal.addEventListener !== "function") {
      throw badInput("signal", `must be an AbortSignal, not ${shown(signal)}`);
    }
    const encoded = body === undefined ? undefined : encodedOf(body);
    for (let second = false; ; second = true) {
      try {
        return await this.#once(method, path, { encoded, signal, deadline, requestId, announce, text, bare });
      } catch (error) {
        const pause = second ? null : pauseBefore(error, method);
        if (pause === null || performance.now() + pause >= deadline) {
          throw error;
        }
        await sleep(pause, signal, requestId);
      }
    }
  }

  async #once(method, path, request) {
    const entered = this.breaker.enter();
    if (entered.wait > 0) {
      const wait = Math.ceil(entered.wait);
      throw new ReversalError(
        `${this.base}: several requests in a row failed, so none is sent for ${wait} ms`,
        { code: CODES.CIRCUIT_OPEN, requestId: request.requestId, retryAfterMs: wait },
      );
    }
    try {
      const found = await this.#exchange(method, path, request);
      this.breaker.leave(entered, true);
      return found;
    } catch (error) {
      if (error.code === CODES.ABORTED) {
        this.breaker.forget(entered);
      } else {
        this.breaker.leave(entered, error.status > 0 && error.code !== CODES.BAD_ANSWER);
      }
      throw error;
    }
  }

  async #exchange(method, path, { encoded, signal, deadline, requestId, announce, text, bare }) {
    const left = Math.max(1, Math.round(deadline - performance.now()));
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(CODES.TIMEOUT), left);
    const abort = () => stop.abort(CODES.ABORTED);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) {
      abort();
    }
    const headers = { ...this.headers, "X-Request-Id": requestId };
    if (encoded !== undefined) {
      headers["Content-Type"] = "application/json";
    }
    if (announce) {
      headers["X-Request-Timeout-Ms"] = String(Math.min(left, LONGEST_TIMEOUT_MS));
    }
    let response;
    try {
      // A redirect is not followed: a POST would become a GET, and the token would go to another address.
      const options = { method, headers, body: encoded, signal: stop.signal, redirect: "manual" };
      response = await this.fetch(`${this.base}${path}`, options);
      const content = await response.text();
      return answerOf(response, content, { text, bare, requestId, base: this.base });
    } catch (error) {
      throw error instanceof ReversalError ? error : this.#failure(error, stop.signal, response, requestId, left);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  #failure(error, stopped, response, requestId, left) {
    if (stopped.aborted && stopped.reason === CODES.ABORTED) {
      return new ReversalError("the caller aborted the request", { code: CODES.ABORTED, requestId, cause: error });
    }
    if (stopped.aborted) {
      return new ReversalError(`${this.base} did not answer within ${left} ms`, { code: CODES.TIMEOUT, requestId, cause: error });
    }
    const cause = error?.cause?.errors?.[0] ?? error?.cause ?? error ?? {}; // of one address, if a name has several
    const reason = cause.code ?? cause.message ?? String(cause);
    if (response === undefined && (NOT_SENT.has(reason) || BEFORE_SENDING.has(cause.syscall) || OF_TLS.test(reason))) {
      return new ReversalError(`${this.base} cannot be reached (${reason})`, { code: CODES.NO_CONNECTION, requestId, cause: error });
    }
    return new ReversalError(
      `the connection to ${this.base} ended before the answer (${reason}); the request may have been counted`,
      { code: CODES.CONNECTION_LOST, requestId, cause: error },
    );
  }
}

/** The base of all URLs, without a slash at its end. */
function baseOf(url) {
  let parsed;
  try {
    parsed = new URL(url);
  } catch {
    parsed = null;
  }
  if (!parsed || !["http:", "https:"].includes(parsed.protocol)) {
    const without = shown(url).replace(/\/\/.*@/, "//...@"); // a password is not for logs
    throw badInput("url", `must be an address such as http://localhost:8000, not ${without}`);
  }
  if (parsed.username || parsed.password || parsed.search || parsed.hash) {
    throw badInput("url", "must have no user name, no password and nothing from ? or # on; a token has its own option");
  }
  return `${parsed.origin}${parsed.pathname.replace(/\/+$/, "")}`;
}

function timeoutOf(timeoutMs) {
  if (!(typeof timeoutMs === "number" && timeoutMs >= 1 && timeoutMs <= LONGEST_TIMER_MS)) {
    throw badInput("timeoutMs", `must be a number of milliseconds from 1 to ${LONGEST_TIMER_MS}, not ${shown(timeoutMs)}`);
  }
  return timeoutMs;
}

/** A random UUID. No module of Node is loaded for it: a bundle for `import` cannot `require` one. */
function newId() {
  return "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx".replace(/x/g, () => Math.floor(16 * Math.random()).toString(16));
}

/** A header's value without the blanks around it, such as the end of a file's line. The value is not shown: see token. */
function headerOf(name, value) {
  const text = String(value).trim();
  if (!/^[\x20-\x7e\x80-\xff]*$/.test(text)) {
    throw badInput(name, "has a character that a header cannot hold, such as the end of a line");
  }
  return text;
}

/** JSON. A number that JSON does not have is named with its place; JSON.stringify would send null. */
function encodedOf(body) {
  const places = [];
  const text = JSON.stringify(body, function (key, value) {
    if (typeof value === "bigint") {
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    }
    if (typeof value === "number" && !Number.isFinite(value)) {
      places.push([this, key]);
    }
    return value;
  });
  if (places.length > 0) {
    const path = placeOf(body, ...places[0]);
    throw badInput(path, `is ${places[0][0][places[0][1]]}, which JSON cannot hold`);
  }
  return text;
}

/** The path of a value, such as data[3].high. */
function placeOf(root, holder, key, at = "") {
  if (root === holder) {
    return Array.isArray(holder) ? `${at}[${key}]` : `${at}${at ? "." : ""}${key}`;
  }
  for (const [name, value] of Object.entries(root ?? {})) {
    if (value !== null && typeof value === "object") {
      const found = placeOf(value, holder, key, Array.isArray(root) ? `${at}[${name}]` : `${at}${at ? "." : ""}${name}`);
      if (found) {
        return found;
      }
    }
  }
  return "";
}

function answerOf(response, content, { text, bare, requestId, base }) {
  const { status } = response;
  const id = response.headers.get("x-request-id") ?? requestId;
  if (text && response.ok) {
    return content;
  }
  let answer;
  try {
    answer = JSON.parse(content);
  } catch {
    answer = undefined;
  }
  if (response.ok && answer?.success === true && answer.data !== undefined) {
    return answer.data;
  }
  if (bare && typeof answer?.status === "string") { // health and readyz, whatever their status
    return answer;
  }
  // The old service refuses with 200, too, and has no codes.
  if (answer?.success === false && typeof answer.error === "string") {
    const details = answer.details ?? [];
    throw new ReversalError(answer.error, {
      code: answer.code ?? (status === 404 ? "NOT_FOUND" : "INTERNAL"),
      status, details, path: details[0]?.path ?? null, requestId: id, retryAfterMs: retryAfterOf(response),
    });
  }
  // Another server, or a server that does not have this endpoint.
  const code = status === 404 ? "NOT_FOUND" : CODES.BAD_ANSWER;
  const target = response.headers.get("location");
  const said = target ? `it redirects to ${shown(target)}` : shown(content.trim().slice(0, 40));
  throw new ReversalError(
    `${base} answered ${status} without the JSON of this service: ${said}`,
    { code, status, requestId: id, retryAfterMs: retryAfterOf(response) },
  );
}

function retryAfterOf(response) {
  const value = response.headers.get("retry-after") ?? "";
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : null;
}

/** Milliseconds until the second try; null if a second one could count twice, or would fail as the first did. */
function pauseBefore(error, method) {
  const jitter = 0.5 + Math.random();
  if (error.code === CODES.NO_CONNECTION || (error.code === CODES.CONNECTION_LOST && method === "GET")) {
    return PAUSE_MS * jitter;
  }
  // A refused request was not counted. The pauses differ, so that refused clients do not come back together.
  return error.code === "OVERLOADED" ? (error.retryAfterMs ?? PAUSE_MS) + PAUSE_MS * Math.random() : null;
}

function sleep(milliseconds, signal, requestId) {
  return new Promise((resolve, reject) => {
    const done = () => {
      signal?.removeEventListener("abort", stopped);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    const stopped = () => {
      clearTimeout(timer);
      reject(new ReversalError("the caller aborted the request", { code: CODES.ABORTED, requestId }));
    };
    signal?.addEventListener("abort", stopped, { once: true });
    if (signal?.aborted) {
      stopped();
    }
  });
}

module.exports = { Transport };
