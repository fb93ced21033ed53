"""Which worker takes a new connection: the one that has the fewest.

All listen on the same sockets, and the kernel tells all of them. Without more, whoever is quickest takes all that has
come, and keeps it for as long as its clients do.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import mmap
import socket
import ssl
from contextlib import suppress
from typing import Any

from aiohttp import web

log = logging.getLogger(__name__)

# Of workers that run at the same time, old and new ones during a reload.
_SLOTS = 256
# A worker that has fewer is woken at the same moment. If it has not come after so many looks, it is busy or stalled.
_LOOKS = 20
_LOOK_SECONDS = 0.001
# A sixteenth more than others have is as good as equal; without it, a thousand that come at once would take a second.
_MORE = 16
# aiohttp counts a connection that is lost until its task has ended.
_FORGOTTEN_SECONDS = 0.002
# As asyncio does when descriptors run out.
_EXHAUSTED_SECONDS = 1.0
# A TLS handshake takes two round trips.
_HANDSHAKE_SECONDS = 10.0
# For those under way when a worker ends.
_OPENING_SECONDS = 0.5


class Connections:
    """How many each worker has: memory that forked processes share, written by its owner and read by all."""

    def __init__(self) -> None:
        """To be made before the fork."""
        self._counts = memoryview(mmap.mmap(-1, 4 * _SLOTS)).cast("i")
        self._ended = mmap.mmap(-1, 1)

    def tell(self, worker: int, count: int) -> None:
        """`worker`: any number that those running at the same time do not share."""
        self._counts[worker % _SLOTS] = count + 1  # 0: nobody, or one that accepts nothing

    def forget(self, worker: int) -> None:
        """It accepts nothing more."""
        self._counts[worker % _SLOTS] = 0

    def anybody(self) -> bool:
        """Whether there is a worker that accepts."""
        return any(self._counts)

    def end(self) -> None:
        """No other worker will come: the last one that accepts closes the port."""
        self._ended[0] = 1

    @property
    def ended(self) -> bool:
        """Whether no other worker will come."""
        return bool(self._ended[0])

    def is_least(self, worker: int) -> bool:
        """Whether nobody has fewer, by more than a few of many."""
        least = min(filter(None, self._counts), default=0)
        return self._counts[worker % _SLOTS] <= least + least // _MORE


class Site(web.BaseSite):
    """A listening socket of which this worker takes what is for it, and the rest if nobody else does in time."""

    def __init__(
        self,
        runner: web.BaseRunner,
        listening: socket.socket,
        connections: Connections,
        worker: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(runner)
        self._tls = tls
        if runner.server is None:
            raise RuntimeError("the runner has not been set up")
        self._protocols = runner.server
        listening.setblocking(False)
        self._listening = listening
        self._connections = connections
        self._worker = worker
        self._stopped = False
        self._opening: dict[asyncio.Task[object], web.RequestHandler] = {}
        self._again: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        """Where it listens."""
        return str(self._listening.getsockname())

    async def start(self) -> None:
        """Begin to accept."""
        await super().start()
        self._loop = asyncio.get_running_loop()
        lost = self._protocols.connection_lost

        def connection_lost(*of: Any) -> None:  # noqa: ANN401 - passed on
            lost(*of)
            self._loop.call_later(_FORGOTTEN_SECONDS, self._tell)

        # Else the others take for busy who has just lost its clients, and are quicker to take the next ones.
        self._protocols.connection_lost = connection_lost  # type: ignore[assignment, method-assign]
        self._tell()
        self._loop.add_reader(self._listening, self._accept)

    async def stop(self) -> None:
        """Leave what comes to the others. Who is the last one takes what has come, which closing would reset."""
        self._loop.remove_reader(self._listening)
        if self._again is not None:
            self._again.cancel()
        self._stopped = True
        self._connections.forget(self._worker)
        if not self._connections.anybody():
            with suppress(OSError):  # all have been taken, or no more can be
                while True:
                    self._take()
            if self._connections.ended:
                # For all: one that closes late, or has not begun to accept, would reset what had come until then.
                with suppress(OSError):  # another one has
                    self._listening.shutdown(socket.SHUT_RD)
        self._listening.close()
        if self._opening:  # aiohttp does not know of them yet
            _, late = await asyncio.wait(self._opening, timeout=_OPENING_SECONDS)
            for opening in late:  # who connects and says nothing must not keep those waiting who have asked
                opening.cancel()
        await super().stop()

    def _tell(self) -> None:
        if self._stopped:
            return
        # What is opening is for a moment in both.
        count = len({*self._protocols.connections, *self._opening.values()})
        self._connections.tell(self._worker, count)

    def _accept(self, looks: int = _LOOKS) -> None:
        """Something has come, for us or for others, who may be looked at so many times more before we take all."""
        self._tell()
        while looks == 0 or self._connections.is_least(self._worker):
            try:
                self._take()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # another worker was quicker
                return
            except OSError as error:
                if error.errno == errno.EINVAL:  # the last worker has closed the port before this one began
                    self._loop.remove_reader(self._listening)
                    return
                log.error("no connection can be accepted: %s", error)
                self._pause(_EXHAUSTED_SECONDS, _LOOKS)
                return
            self._tell()
        self._pause(_LOOK_SECONDS, looks - 1)

    def _pause(self, seconds: float, looks: int) -> None:
        self._loop.remove_reader(self._listening)
        self._again = self._loop.call_later(seconds, self._resume, looks)

    def _resume(self, looks: int) -> None:
        self._loop.add_reader(self._listening, self._accept)
        self._accept(looks)

    def _take(self) -> None:
        connection, _ = self._listening.accept()
        connection.setblocking(False)
        protocol = self._protocols()
        opening = self._loop.create_task(self._connect(protocol, connection))
        self._opening[opening] = protocol
        opening.add_done_callback(self._opened)

    async def _connect(self, protocol: web.RequestHandler, connection: socket.socket) -> None:
        # uvloop refuses a time for the handshake where there is none.
        seconds = None if self._tls is None else _HANDSHAKE_SECONDS
        await self._loop.connect_accepted_socket(
            lambda: protocol, connection, ssl=self._tls, ssl_handshake_timeout=seconds
        )

    def _opened(self, opening: asyncio.Task[object]) -> None:
        del self._opening[opening]
        if not opening.cancelled() and (error := opening.exception()) is not None:
            log.warning("a connection could not be opened: %s", error)
