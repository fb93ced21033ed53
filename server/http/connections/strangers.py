"""Connections that bring no request: they are counted, and cannot fill the log."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Literal, TypeAlias

from core.log_event import LogEvent
from server.auth.client_address import UNIX

log = logging.getLogger(__name__)

# Connections of the same kind make one line in this many seconds, with their number.
SECONDS = 1.0

# not_http: the bytes are no HTTP request. tls: the handshake failed. silent: it ended before a whole request's head.
Kind: TypeAlias = Literal["not_http", "tls", "silent"]
KINDS: tuple[Kind, ...] = ("not_http", "tls", "silent")


class Strangers:
    """Counts and logs connections without a request. Call it from one thread, and `flush` about once a second."""

    def __init__(self, count: Callable[[Kind], None], now: Callable[[], float] = time.monotonic) -> None:
        """`count`: called for each connection, with its kind."""
        self._count = count
        self._now = now
        self._due: dict[Kind, float] = {}
        self._more: dict[Kind, tuple[int, str | None, str]] = {}

    def note(self, kind: Kind, address: str | None, error: str) -> None:
        """Count a connection, and log it or leave it for a later line. error: must hold nothing that it has sent."""
        self._count(kind)
        now = self._now()
        more, _, _ = self._more.get(kind, (0, None, ""))
        self._more[kind] = more + 1, UNIX if address == "" else address, error  # empty on a Unix socket
        if now >= self._due.get(kind, now):
            self._log(kind, now)

    def flush(self, now: float | None = None) -> None:
        """Log the connections since the last line of each kind that is due. With math.inf every kind is due."""
        now = self._now() if now is None else now
        for kind in [kind for kind in self._more if now >= self._due.get(kind, -math.inf)]:
            self._log(kind, now)

    def _log(self, kind: Kind, now: float) -> None:
        count, address, error = self._more.pop(kind)
        self._due[kind] = now + SECONDS
        if kind == "not_http":
            log.info(LogEvent("request_unreadable", address=address, error=error, count=count))
        elif kind == "tls":
            log.warning(LogEvent("connection_failed", address=address, error=error, count=count))
        else:  # at this level because the port checks of load balancers would fill a day's log
            log.debug(LogEvent("connection_silent", address=address, error=error, count=count))
