"""Tells systemd, or another service manager, what the server does.

The protocol is a datagram with lines `NAME=value` to the socket in NOTIFY_SOCKET, see sd_notify(3):
https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html. The watchdog is in sd_watchdog_enabled(3).
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import NamedTuple

_LOOK_SECONDS = 0.2
_LEAST_SECONDS = 0.01
_SOCKET = "NOTIFY_SOCKET"
_WATCHDOG = ("WATCHDOG_USEC", "WATCHDOG_PID")
# With these, gunicorn would take the server for one of its own that is being upgraded.
_OTHERS = ("GUNICORN_PID", "GUNICORN_FD")
# The time that a stop may take beside the grace period: requests in progress, then the journals.
_STOP_SECONDS = 30


class Workers(NamedTuple):
    """What the service manager is told about the workers.

    `connected`: their number. `active`: the version that answers; None: none can. `replaced`: whether those that ran at
    the last reload have ended.
    """

    connected: int
    active: str | None
    replaced: bool


class ServiceManager:
    """The connection to the service manager. Without one, or if its socket is dead, nothing happens."""

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        """Read the variables and remove them, so that no child process can speak for the server."""
        environ = os.environ if environ is None else environ
        address = environ.pop(_SOCKET, "")
        interval, process = (environ.pop(name, "") for name in _WATCHDOG)
        for name in _OTHERS:
            environ.pop(name, None)
        # An address that begins with @ is in the abstract namespace, where the first byte is 0.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address if address.startswith("/") else None
        self._pause = 0.0  # between two signs of life; 0: no watchdog
        if process in ("", str(os.getpid())) and interval.isascii() and interval.isdecimal():
            self._pause = int(interval) / 2 / 1e6
        self._told: str | None = None  # the last lines that arrived
        self._alive_at = 0.0
        self._ready = False
        self._reloading = False
        self._stopping = False

    def reloading(self) -> None:
        """Say that a reload begins."""
        if not self._stopping and self._ready:
            self._reloading = True
            self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}\nSTATUS=replacing the workers")
            self._told = None

    def stopping(self, grace_seconds: float = 0) -> None:
        """Say that the server stops, and ask for the time that this may take."""
        if not self._stopping:
            self._stopping = True
            microseconds = int((grace_seconds + _STOP_SECONDS) * 1e6)
            self._send(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={microseconds}\nSTATUS=stopping")

    async def follow(self, workers: Callable[[], Workers]) -> None:
        """Say when the server is ready, and give signs of life, until cancelled.

        READY is sent as soon as one worker answers predictions, as `/readyz` is 200 then. A sign of life is sent only
        while a worker is connected, and not at all by an event loop that stands still.
        """
        if self._address is None:
            return
        while True:
            self._tell(workers())
            await asyncio.sleep(max(_LEAST_SECONDS, min(_LOOK_SECONDS, self._pause or _LOOK_SECONDS)))

    def _tell(self, workers: Workers) -> None:
        now = time.monotonic()
        if self._pause and now - self._alive_at >= self._pause and (workers.connected or self._stopping):
            self._alive_at = now
            self._send("WATCHDOG=1")
        if self._stopping:
            return
        answering = workers.connected > 0 and workers.active is not None
        version = f"{workers.active} answers" if answering else "no version can answer"
        status = lines = f"STATUS=workers: {workers.connected}; {version}"
        if answering and (not self._ready or (self._reloading and workers.replaced)):
            lines = f"READY=1\n{status}"
        elif self._reloading:
            return
        if lines != self._told and self._send(lines):
            self._told = status
            if lines != status:
                self._ready, self._reloading = True, False

    def _send(self, lines: str) -> bool:
        """Send lines; returns whether they have arrived. It never waits and never raises an error."""
        if self._address is None:
            return False
        with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
            sending.setblocking(False)
            sending.sendto(lines.encode(), self._address)  # refused if it is absent, dead, full, or no address
            return True
        return False
