"""Balances connections: the worker with the fewest accepts the next one.

All workers listen on the same sockets, and the kernel wakes all of them. Without balancing, the quickest worker would
accept every waiting connection, and serve it for as long as the client keeps it open.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import mmap
import socket
import ssl
from contextlib import suppress
from functools import partial
from typing import Any

from aiohttp import web

from core.log_event import LogEvent
from server.http.connections.strangers import Strangers

log = logging.getLogger(__name__)

# The most workers at the same time, counting old and new ones during a reload.
_SLOTS = 256
# A worker with fewer connections is woken at the same moment. If it has not accepted after this many looks, it is busy
# or stalled, and another worker accepts.
_LOOKS = 20
_LOOK_SECONDS = 0.001
# A worker may have a sixteenth more connections than another one and still accept. Without this tolerance, accepting a
# thousand connections that arrive together would take a second.
_TOLERANCE = 16
# aiohttp counts a lost connection until its task has ended.
_FORGOTTEN_SECONDS = 0.002
# The pause after file descriptors ran out, as in asyncio.
_EXHAUSTED_SECONDS = 1.0
# A TLS handshake takes two round trips.
_HANDSHAKE_SECONDS = 10.0
# How long a stopping worker waits for connections that are being opened.
_OPENING_SECONDS = 0.5


class Connections:
    """The number of connections of each worker, in memory shared by all workers. Each one writes its own number."""

    def __init__(self, *, inherited: bool = False) -> None:
        """Create the shared memory. Call it before the fork.

        `inherited`: a service manager opened the sockets, and passes them to the next server too.
        """
        self._inherited = inherited
        self._counts = memoryview(mmap.mmap(-1, 4 * _SLOTS)).cast("i")
        self._ended = mmap.mmap(-1, 1)

    def publish(self, worker: int, count: int) -> None:
        """Set the count of a worker. `worker`: a number that is unique among running workers."""
        self._counts[worker % _SLOTS] = count + 1  # 0: no worker, or a worker that does not accept

    def forget(self, worker: int) -> None:
        """Note that a worker no longer accepts connections."""
        self._counts[worker % _SLOTS] = 0

    def is_accepting(self, worker: int) -> bool:
        """Whether a worker accepts connections."""
        return bool(self._counts[worker % _SLOTS])

    def any_accepting(self) -> bool:
        """Whether any worker accepts connections."""
        return any(self._counts)

    def end(self) -> None:
        """Note that no worker will be started any more."""
        self._ended[0] = 1

    @property
    def close_port(self) -> bool:
        """Whether the last worker closes the port. On an inherited one, connections wait for the next server."""
        return bool(self._ended[0]) and not self._inherited

    def has_fewest(self, worker: int) -> bool:
        """Whether no other worker has fewer connections, within the tolerance."""
        least = min(filter(None, self._counts), default=0)
        return self._counts[worker % _SLOTS] <= least + least // _TOLERANCE


class Site(web.BaseSite):
    """A listening socket. This worker accepts its share, and more if the other workers do not accept in time."""

    def __init__(  # noqa: PLR0913 - the last two by name
        self,
        runner: web.BaseRunner,
        listening: socket.socket,
        connections: Connections,
        worker: int,
        *,
        tls: ssl.SSLContext | None = None,
        strangers: Strangers | None = None,
    ) -> None:
        """`strangers`: counts and logs the connections that cannot be opened."""
        super().__init__(runner)
        self._strangers = Strangers(lambda _: None) if strangers is None else strangers
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
        """The address that it listens on."""
        return str(self._listening.getsockname())

    async def start(self) -> None:
        """Start accepting connections."""
        await super().start()
        self._loop = asyncio.get_running_loop()
        lost = self._protocols.connection_lost

        def connection_lost(*of: Any) -> None:  # noqa: ANN401 - the arguments are passed on
            lost(*of)
            self._loop.call_later(_FORGOTTEN_SECONDS, self._publish)

        # Publish the lower count promptly, or other workers treat this one as busy and accept in its place.
        self._protocols.connection_lost = connection_lost  # type: ignore[assignment, method-assign]
        self._publish()
        self._loop.add_reader(self._listening, self._accept)

    async def stop(self) -> None:
        """Stop accepting. The last worker accepts the waiting connections first, because closing would reset them."""
        self._loop.remove_reader(self._listening)
        if self._again is not None:
            self._again.cancel()
        self._stopped = True
        self._connections.forget(self._worker)
        if not self._connections.any_accepting():
            with suppress(OSError):  # no connection is waiting, or descriptors ran out
                while True:
                    self._take()
            if self._connections.close_port:
                # This closes the port for all processes. Otherwise one that closes late, or that has not begun to
                # accept, would let connections queue up and then reset them.
                with suppress(OSError):  # another worker has closed it
                    self._listening.shutdown(socket.SHUT_RD)
        self._listening.close()
        if self._opening:  # aiohttp does not know these connections yet
            _, late = await asyncio.wait(self._opening, timeout=_OPENING_SECONDS)
            for opening in late:  # a client that never completes its handshake must not delay the others
                opening.cancel()
        await super().stop()

    def _publish(self) -> None:
        if self._stopped:
            return
        # A set, because a connection that has just been opened is in both for a moment.
        count = len({*self._protocols.connections, *self._opening.values()})
        self._connections.publish(self._worker, count)

    def _accept(self, looks: int = _LOOKS) -> None:
        """Accept waiting connections while it is this worker's turn; after `looks` more looks, accept all."""
        self._publish()
        while looks == 0 or self._connections.has_fewest(self._worker):
            try:
                self._take()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # another worker accepted it
                return
            except OSError as error:
                if error.errno == errno.EINVAL:  # the last worker closed the port before this one began
                    self._loop.remove_reader(self._listening)
                    return
                effect = f"new connections wait; accepting is retried in {_EXHAUSTED_SECONDS:g} s"
                log.error(LogEvent("accept_failed", error=error, effect=effect))
                self._pause(_EXHAUSTED_SECONDS, _LOOKS)
                return
            self._publish()
        self._pause(_LOOK_SECONDS, looks - 1)

    def _pause(self, seconds: float, looks: int) -> None:
        self._loop.remove_reader(self._listening)
        self._again = self._loop.call_later(seconds, self._resume, looks)

    def _resume(self, looks: int) -> None:
        self._loop.add_reader(self._listening, self._accept)
        self._accept(looks)

    def _take(self) -> None:
        connection, address = self._listening.accept()
        connection.setblocking(False)
        protocol = self._protocols()
        opening = self._loop.create_task(self._connect(protocol, connection))
        self._opening[opening] = protocol
        opening.add_done_callback(partial(self._opened, address))

    async def _connect(self, protocol: web.RequestHandler, connection: socket.socket) -> None:
        # uvloop refuses a handshake timeout without TLS.
        seconds = None if self._tls is None else _HANDSHAKE_SECONDS
        await self._loop.connect_accepted_socket(
            lambda: protocol, connection, ssl=self._tls, ssl_handshake_timeout=seconds
        )

    def _opened(self, address: Any, opening: asyncio.Task[object]) -> None:  # noqa: ANN401 - of any family
        del self._opening[opening]
        if not opening.cancelled() and (error := opening.exception()) is not None:
            host = address[0] if isinstance(address, tuple) else address
            silent = isinstance(error, ConnectionError)  # closed or reset, as by a port check, or it took too long
            self._strangers.note("silent" if silent else "tls", host, str(error))
