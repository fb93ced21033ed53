"""Log lines that a failure would repeat with every request."""

from __future__ import annotations

import time
from collections.abc import Callable

_KEYS = 1_000


class Throttle:
    """Lets one of many like lines through in `seconds`. Of too many keys it forgets all of them."""

    def __init__(self, seconds: float = 60.0, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._next: dict[str, float] = {}

    def passes(self, key: str) -> bool:
        """Whether the line of that key is due."""
        now = self._now()
        if now < self._next.get(key, now):
            return False
        if len(self._next) >= _KEYS:
            self._next.clear()
        self._next[key] = now + self._seconds
        return True
