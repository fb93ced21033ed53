"""Waiting for the notifications of other replicas, or polling where notifications do not arrive."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg

from core.store.drivers.postgres_connection import PostgresConnection

CHANNEL = "reversal_state"
# Without notifications, the interval at which the state is read.
POLL_SECONDS = 1.0
# The interval at which the listener checks that its server still takes writes. Only the primary notifies of changes.
CHECK_SECONDS = 2.0
# The pause after the server could not be reached.
_RETRY_SECONDS = 0.25
# A waiting thread checks at this interval whether the store is being closed.
_LOOK_SECONDS = 0.25


class Listener:
    """A connection of its own that listens, used by one thread at a time."""

    def __init__(
        self, connect: Callable[[], PostgresConnection], closing: threading.Event, pooled: Callable[[], bool]
    ) -> None:
        """`closing`: set when the store is being closed. `pooled`: whether connections are those of a pooler."""
        self._connect = connect
        self._closing = closing
        self._pooled = pooled
        self._lock = threading.Lock()
        self._connection: PostgresConnection | None = None
        self._check_at = 0.0
        self._checking: tuple[PostgresConnection, float] | None = None  # with the time at which the check began

    def wait(self, seconds: float) -> bool:
        """Wait for a notification; see Store.wait_for_change."""
        end = time.monotonic() + seconds
        with self._lock:
            try:
                while not self._closing.is_set():
                    if self._pooled():
                        self._hang_up()
                        return not self._closing.wait(min(seconds, POLL_SECONDS))
                    if self._connection is None:
                        self._connection = self._connect()
                        if self._pooled():
                            continue
                        self._connection.run(f"LISTEN {CHANNEL}")
                        self._check_at = time.monotonic() + CHECK_SECONDS
                        return True  # notifications before LISTEN were not received
                    left = end - time.monotonic()
                    if left <= 0:
                        return False
                    if not self._is_on_primary(self._connection):
                        self._hang_up()
                        continue
                    wait = min(left, _LOOK_SECONDS)
                    for _ in self._connection.driver.notifies(timeout=wait, stop_after=1):
                        return True
            except (psycopg.Error, UnicodeError):
                self._hang_up()
                self._closing.wait(max(0.0, min(end - time.monotonic(), _RETRY_SECONDS)))
        return False

    def waiting_since(self, before: float) -> set[PostgresConnection]:
        """The connection, if a check of its server began before a time and has had no answer."""
        checking = self._checking
        return set() if checking is None or checking[1] >= before else {checking[0]}

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._hang_up()

    def _is_on_primary(self, connection: PostgresConnection) -> bool:
        """Whether the server still takes writes, by a check at an interval."""
        now = time.monotonic()
        if now < self._check_at:
            return True
        self._check_at = now + CHECK_SECONDS
        self._checking = connection, now
        try:
            return connection.rows("SHOW transaction_read_only") == [("off",)]
        finally:
            self._checking = None

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
