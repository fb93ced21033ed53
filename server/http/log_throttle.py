"""A limit for log lines that a failure would repeat with every request."""

from __future__ import annotations

import time
from collections.abc import Callable

_KEYS = 1_000


class Throttle:
    """Passes one line of each key in `seconds`. If there are too many keys, it forgets all of them."""

    def __init__(self, seconds: float = 60.0, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._next: dict[str, float] = {}

    def passes(self, key: str) -> bool:
        """Whether a line of this key may be logged now."""
        now = self._now()
        if now < self._next.get(key, now):
            return False
        if len(self._next) >= _KEYS:
            self._next.clear()
        self._next[key] = now + self._seconds
        return True
