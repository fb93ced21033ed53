"""Log lines about refused requests: code and place, never a value."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable

from core.log_event import LogEvent
from server.logs.request_id import CURRENT

log = logging.getLogger(__name__)

# Refusals with the same endpoint, code and field make one line in this many seconds, with their number.
SECONDS = 1.0
# An upper bound of kinds. There are only so many endpoints, codes and fields, so clients should never reach it.
_KINDS = 1_000

_INDEX = re.compile(r"\[\d+\]")


class RefusalLog:
    """Logs refusals. Call it from one thread, and `flush` about once a second, so that the last of many are logged."""

    def __init__(self, known_part: Callable[[str], str], now: Callable[[], float] = time.monotonic) -> None:
        """`known_part`: returns a place without names that a client made up, which must not be logged."""
        self._known_part = known_part
        self._now = now
        self._kinds: dict[tuple[str, str, str, str], tuple[float, int, str]] = {}

    def note(self, endpoint: str, code: str, place: str, reason: str = "") -> None:
        """Log a refusal, or count it for a later line.

        place: path in the body, as in the answer; empty if there is none. reason: must hold no text of the client.
        """
        place = self._known_part(place)
        kind = (endpoint, code, _INDEX.sub("[]", place), reason)
        now = self._now()
        due, more, first = self._kinds.get(kind, (now, 0, ""))
        first = first or CURRENT.get()  # of the requests that the next line stands for
        if now < due:
            self._kinds[kind] = due, more + 1, first
            return
        if len(self._kinds) >= _KINDS:
            self.flush(math.inf)
        self._kinds[kind] = now + SECONDS, 0, ""
        _log((endpoint, code, place, reason), more + 1, first)

    def flush(self, now: float | None = None) -> None:
        """Log the refusals since the last line of each kind that is due. With math.inf every kind is due."""
        now = self._now() if now is None else now
        for kind in [kind for kind, (due, *_) in self._kinds.items() if due <= now]:
            _, more, first = self._kinds.pop(kind)
            if more:
                _log(kind, more, first)


def _log(kind: tuple[str, str, str, str], count: int, first: str) -> None:
    """Write a line that stands for `count` refusals. Without a reason it has no field `error`.

    kind: endpoint, code, place and reason. first: the id of the first of these requests.
    """
    endpoint, code, place, reason = kind
    error = {"error": reason} if reason else {}
    event = LogEvent("request_refused", endpoint=endpoint, code=code, path=place or None, count=count, **error)
    log.warning(event, extra={"request_id": first})
