"use strict";

const FAILURES = 5;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * A circuit breaker: after five failures in a row no request is sent for a second. Then one request is the trial; each
 * trial that fails doubles the pause, up to 30 seconds. Pauses vary by a quarter, so that many clients do not come back
 * at once.
 */
class CircuitBreaker {
  #failures = 0;
  #pause = 0;
  #closedAgainAt = 0;
  #trying = false;

  /** @param {() => number} clock milliseconds that never go back */
  constructor(clock = () => performance.now()) {
    this.clock = clock;
  }

  /** `wait`: milliseconds until a request may be sent, 0 if it may be sent now. Then it ends with `leave` or `forget`. */
  enter() {
    if (this.#failures < FAILURES) {
      return { wait: 0, trial: false };
    }
    const left = this.#closedAgainAt - this.clock();
    if (left > 0 || this.#trying) {
      return { wait: Math.max(left, 50), trial: false }; // 50: the trial is under way
    }
    this.#trying = true;
    return { wait: 0, trial: true };
  }

  /** The result of a request: whether the server could be reached and answered as this service does. */
  leave({ trial }, reached) {
    this.forget({ trial });
    if (reached) {
      this.#failures = 0;
      this.#pause = 0;
      return;
    }
    this.#failures += 1;
    // Requests that were under way when the circuit opened fail with it: one failure of the server, one pause.
    if (trial || this.#failures === FAILURES) {
      this.#pause = Math.min(Math.max(2 * this.#pause, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
      this.#closedAgainAt = this.clock() + this.#pause * (0.75 + 0.5 * Math.random());
    }
  }

  /** The caller gave up: this says nothing about the server. */
  forget({ trial }) {
    this.#trying &&= !trial;
  }
}

module.exports = { CircuitBreaker };
