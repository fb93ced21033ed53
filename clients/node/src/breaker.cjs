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

  /** Milliseconds until a request may be sent; 0 if it may be sent now. A request that may be sent is under way. */
  enter() {
    if (this.#failures < FAILURES) {
      return 0;
    }
    const left = this.#closedAgainAt - this.clock();
    if (left > 0 || this.#trying) {
      return Math.max(left, 50); // the trial is under way
    }
    this.#trying = true;
    return 0;
  }

  /** The result of a request: whether the server could be reached and answered as this service does. */
  leave(reached) {
    this.#trying = false;
    if (reached) {
      this.#failures = 0;
      this.#pause = 0;
      return;
    }
    this.#failures += 1;
    if (this.#failures >= FAILURES) {
      this.#pause = Math.min(Math.max(2 * this.#pause, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
      this.#closedAgainAt = this.clock() + this.#pause * (0.75 + 0.5 * Math.random());
    }
  }

  /** The caller gave up: this says nothing about the server. */
  forget() {
    this.#trying = false;
  }
}

module.exports = { CircuitBreaker };
