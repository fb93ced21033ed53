"""The time of an answer, in each form that answers contain."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Moment(NamedTuple):
    """One second in three forms: in UTC with `Z`, in the configured zone with its offset, and as HTTP writes it."""

    utc: str
    local: str
    http: str


class Clock:
    """Formats each second once, however many answers it has."""

    def __init__(self, zone: ZoneInfo, seconds: Callable[[], float] = time.time) -> None:
        self._zone = zone
        self._seconds = seconds
        self._second = -1
        self._moment = Moment("", "", "")

    def now(self) -> Moment:
        """The current second."""
        second = int(self._seconds())
        if second != self._second:
            utc = datetime.fromtimestamp(second, UTC)
            local = utc.astimezone(self._zone).isoformat()
            self._moment = Moment(utc.strftime("%Y-%m-%dT%H:%M:%SZ"), local, format_datetime(utc, usegmt=True))
            self._second = second
        return self._moment
