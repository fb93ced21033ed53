"""The pause after failures in a row."""

from __future__ import annotations

import time

# The pause after a failure. It doubles with each failure, up to the longest.
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
# After this long without a failure, the pause is the first one again.
FORGOTTEN_SECONDS = 60.0


class Backoff:
    """The pause before the next try, after failures in a row."""

    def __init__(self) -> None:
        self._pause = 0.0
        self._failed_at = -FORGOTTEN_SECONDS
        self._next = 0.0

    def failed(self) -> float:
        """Note a failure; returns the seconds until the next try. Failures during the pause do not lengthen it."""
        now = time.monotonic()
        if now >= self._next:
            recent = now - self._failed_at < FORGOTTEN_SECONDS
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS) if recent else FIRST_PAUSE_SECONDS
            self._next = now + self._pause
            self._failed_at = now
        return self._pause

    @property
    def seconds_left(self) -> float:
        """The seconds until the next try; 0: it may be made now."""
        return max(0.0, self._next - time.monotonic())
