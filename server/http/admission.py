"""How much a worker takes on: past a bound it refuses, instead of queueing without end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import Overloaded

# Refusals a second that are answered with a second of silence.
EAGER = 20_000


class Admission:
    """Counts the requests that are in hand, each from when it has been read until it is answered: `inside`."""

    def __init__(self, most: int) -> None:
        """`most`: of requests in hand at the same time."""
        self._most = most
        self.inside = 0
        self._done = 0
        self._done_before = 0
        self._per_second = math.inf
        self._refused = 0
        self._refused_per_second = 0.0

    def check(self) -> None:
        """Raise Overloaded where there is no room: before a body is read that would be refused afterwards."""
        if self.inside >= self._most:
            self._refused += 1
            seconds = max(1, math.ceil(self.inside / self._per_second))
            raise Overloaded(f"{self.inside} requests are in hand, which is all that is taken on", seconds)

    def enter(self) -> None:
        """Take a request on. Raises Overloaded."""
        self.check()
        self.inside += 1

    def leave(self) -> None:
        """It is done."""
        self.inside -= 1
        self._done += 1

    @contextmanager
    def held(self) -> Iterator[None]:
        """While it is worked on. Raises Overloaded."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def measure(self, seconds: float) -> None:
        """Take note of how much was done in the last `seconds`, from which `retry_after` is computed."""
        # What stands still is guessed to do one a second: an infinite wait helps nobody.
        self._per_second = max(1.0, (self._done - self._done_before) / seconds)
        self._done_before = self._done
        self._refused_per_second, self._refused = self._refused / seconds, 0

    @property
    def patience(self) -> float:
        """Seconds for which whoever was refused and asks again all the same is not heard.

        A refusal costs more than a third of a prediction (benchmarks/overload.py), and clients that do not wait would
        have nothing else done: with n connections there are then sqrt(n * EAGER) refusals a second. For a few
        refusals it is nothing.
        """
        return min(1.0, self._refused_per_second / EAGER)
