"""What the log tells of requests that were refused: code and place, never a value."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

# Of refusals alike in endpoint, code and field, one is told in so many seconds, with how many there were since.
SECONDS = 1.0
# A client cannot make more kinds than endpoints, codes and fields allow; it is a bound all the same.
_KINDS = 1_000

_INDEX = re.compile(r"\[\d+\]")


class RefusalLog:
    """Call it from one thread; `flush` about once a second, so that the last of many are told, too."""

    def __init__(self, known_part: Callable[[str], str], now: Callable[[], float] = time.monotonic) -> None:
        """`known_part`: what of a place the log may have: names that a client made up are left out."""
        self._known_part = known_part
        self._now = now
        self._kinds: dict[tuple[str, str, str, str], tuple[float, int]] = {}

    def note(self, endpoint: str, code: str, place: str, reason: str = "") -> None:
        """Tell of a refusal, or count it.

        place: where in the body, as the answer says it; empty for nowhere. reason: where it is no client's text.
        """
        place = self._known_part(place)
        kind = (endpoint, code, _INDEX.sub("[]", place), reason)
        now = self._now()
        due, more = self._kinds.get(kind, (now, 0))
        if now < due:
            self._kinds[kind] = due, more + 1
            return
        if len(self._kinds) >= _KINDS:
            self.flush(math.inf)
        self._kinds[kind] = now + SECONDS, 0
        _tell(endpoint, code, place, more + 1, reason)

    def flush(self, now: float | None = None) -> None:
        """Tell how many there were since, of each kind that is due, and forget it; at the end of time all are due."""
        now = self._now() if now is None else now
        for kind in [kind for kind, (due, _) in self._kinds.items() if due <= now]:
            _, more = self._kinds.pop(kind)
            if more:
                endpoint, code, place, reason = kind
                _tell(endpoint, code, place, more, reason)


def _tell(endpoint: str, code: str, place: str, count: int, reason: str) -> None:
    """count: how many refusals the line stands for."""
    told = f": {reason}" if reason else ""
    log.warning("refused endpoint=%r code=%s place=%s count=%d%s", endpoint, code, place or "-", count, told)
