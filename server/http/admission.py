"""A limit of the requests in progress in a worker. Further ones are refused, not queued."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import Overloaded

# With this many refusals a second, a refused client is not read for a whole second.
FULL_PAUSE_REFUSALS = 20_000


class Admission:
    """Counts the requests in progress, each from the end of reading until it is answered, in `inside`."""

    def __init__(self, most: int, what: str = "requests") -> None:
        """`most`: the limit of requests in progress. what: their name in the refusal."""
        self._most = most
        self._what = what
        self.inside = 0
        self._done = 0
        self._done_before = 0
        self._per_second = math.inf
        self._refused = 0
        self._refused_per_second = 0.0

    def check(self) -> None:
        """Raise Overloaded at the limit. Call it before a body is read, so that none is read in vain."""
        if self.inside >= self._most:
            self._refused += 1
            seconds = max(1, math.ceil(self.inside / self._per_second))
            raise Overloaded(f"too many {self._what} in progress (limit {self._most})", seconds)

    def enter(self) -> None:
        """Accept a request. Raises Overloaded."""
        self.check()
        self.inside += 1

    def leave(self) -> None:
        """Count a request as done."""
        self.inside -= 1
        self._done += 1

    @contextmanager
    def held(self) -> Iterator[None]:
        """Accept a request, and count it as done afterwards. Raises Overloaded."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def measure(self, seconds: float) -> None:
        """Note how many requests were done and refused in the last `seconds`. Must be called periodically."""
        # At least one a second, because an infinite Retry-After would be useless.
        self._per_second = max(1.0, (self._done - self._done_before) / seconds)
        self._done_before = self._done
        self._refused_per_second, self._refused = self._refused / seconds, 0

    @property
    def pause_seconds(self) -> float:
        """Seconds during which nothing is read from a client after a refusal; almost 0 if there are few refusals.

        A refusal costs more than a third of a prediction (benchmarks/overload.py), so clients that retry at once would
        leave no time for predictions. With the pause, n such connections get sqrt(n * FULL_PAUSE_REFUSALS) refusals a
        second.
        """
        return min(1.0, self._refused_per_second / FULL_PAUSE_REFUSALS)
