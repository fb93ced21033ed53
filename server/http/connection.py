"""Connections of clients: aiohttp's, with a time for heads, a time for idleness, and a log that quotes nothing.

All of it stands on what aiohttp documents or leaves to subclasses; server.worker.fast_path adds what does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.log import server_logger
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from server.http.app_keys import REFUSALS
from server.http.bodies.body import CONNECTIONS
from server.http.errors import Refusals
from server.http.fairness import let_others_run
from server.http.headers import SECURITY
from server.http.log_redaction import RedactingLogger

# From the first byte of a request's head to its last.
HEAD_SECONDS = 10.0
# An idle connection is closed after this: load balancers keep theirs for less, and should be the first to close.
KEEP_ALIVE_SECONDS = 75.0
# A client that is refused before the end of its body may send on for so long, to read the refusal.
LINGERING_SECONDS = 2.0

# aiohttp's own timer of idle connections does not know of requests on the fast path. It is set to never end.
_NEVER_SECONDS = 10 * 365 * 86_400.0

_LOG = RedactingLogger(server_logger, None)


class HttpConnection(RequestHandler):
    """One connection. Its subclasses count in `heard` the requests that have come, as far as each can know."""

    __slots__ = ("_head_timer", "_idle_timer", "_keep_seconds", "_passing", "_refusals", "answered", "heard", "quiet")

    def __init__(
        self,
        refusals: Refusals,
        server: web.Server,
        *,
        keepalive_timeout: float = KEEP_ALIVE_SECONDS,
        **options: Any,  # noqa: ANN401 - aiohttp's
    ) -> None:
        """`keepalive_timeout`: seconds after which an idle one is closed. `options`: aiohttp's."""
        given = {**options, **CONNECTIONS, "keepalive_timeout": _NEVER_SECONDS, "lingering_time": 0.0}
        super().__init__(server, loop=asyncio.get_running_loop(), logger=_LOG, **given)  # type: ignore[arg-type]
        self._refusals = refusals
        self._keep_seconds = keepalive_timeout
        self._passing = False  # whether the rest of a body is read for which there is an answer already
        self.heard = 0  # requests
        self.answered = 0  # of them
        self.quiet = 0.0  # since when, in the loop's time, if it is idle
        self._head_timer: asyncio.TimerHandle | None = None  # while a head comes
        self._idle_timer: asyncio.TimerHandle | None = None

    @classmethod
    def maker(cls, app: web.Application) -> Callable[..., HttpConnection]:
        """What makes connections to an application, from the arguments of __init__ but the first."""
        return partial(cls, app[REFUSALS])

    @property
    def in_hand(self) -> bool:
        """Whether a request of it is being answered."""
        return self.heard != self.answered

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be answered, and all that has come has been read."""
        return not self.in_hand and not self._passing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        super().connection_made(transport)
        self.quiet = asyncio.get_running_loop().time()
        self._end_if_idle()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has gone."""
        for timer in (self._head_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def _end_if_idle(self) -> None:
        """Close what has been idle for long enough, and look again later at what has not."""
        loop = asyncio.get_running_loop()
        since = self.quiet if self.is_idle else loop.time()
        left = since + self._keep_seconds - loop.time()
        if left > 0.0:
            self._idle_timer = loop.call_later(left, self._end_if_idle)
        else:
            self.force_close()

    def _head_begins(self, data: bytes) -> None:
        """Some bytes are no whole request: they begin a head, or are a part of one, or of a body."""
        if self._head_timer is None and self.is_idle and data.strip(b"\r\n"):
            self._head_timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.force_close)

    def _head_ends(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer, and let the rest of the request's body pass.

        aiohttp's parser counts a request when its body ends. A request that left the queue before that is counted ever
        after: the parser stops at its limit of 32 when the queue holds 31, aiohttp does not take such a queue for
        full, and nothing would make the parser go on. So the last request of a queue makes it go on.
        """
        if self.heard == self.answered + 1:
            self._parse_on(request)
        try:
            answered = await super().finish_response(request, resp, start_time)
        finally:
            self.answered += 1
            self.quiet = asyncio.get_running_loop().time()
        if not request.content.is_eof():
            self._passing = True
            await self._pass(request.content)
            self._passing = False
            if not self.in_hand:
                self._parse_on(request)
        return answered

    def _parse_on(self, request: BaseRequest) -> None:
        """Have the parser look at what it may have kept behind a request."""
        if request.keep_alive and request.content.is_eof():
            self.data_received(b"")

    @staticmethod
    async def _pass(body: StreamReader) -> None:
        """Read what the handler has not. aiohttp would do it without turns of the loop, which tiny chunks need."""
        with suppress(TimeoutError, ConnectionError, web.RequestPayloadError):
            async with asyncio.timeout(LINGERING_SECONDS):
                while not body.is_eof():
                    await body.readany()
                    await let_others_run()

    def handle_error(self, *args: Any, **kw: Any) -> web.StreamResponse:  # noqa: ANN401 - as aiohttp has it
        """The answer to what is no request, which no signal of the application sees."""
        answer = super().handle_error(*args, **kw)
        answer.headers.update(SECURITY)
        return answer

    def log_exception(self, *args: Any, **kw: Any) -> None:  # noqa: ANN401 - as aiohttp has it
        """What aiohttp says of requests that are none, of which anybody can send thousands."""
        if self._refusals.is_due("aiohttp"):
            super().log_exception(*args, **kw)


class PlainConnection(HttpConnection):
    """Leaves all requests to aiohttp. It hears of one when its turn comes; those behind it wait in aiohttp's queue."""

    __slots__ = ("_body", "_failed", "_held")

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*args, **options)
        self._failed = False
        self._body: StreamReader | None = None  # of the request that was heard last
        self._held = b""  # what has come behind a request that is whole and has no answer yet

    @property
    def in_hand(self) -> bool:
        """Whether a request of it is being answered, or waits until another one is."""
        return self.heard != self.answered or bool(self._held)

    def begin(self, body: StreamReader) -> None:
        """A request's turn has come."""
        self.heard += 1
        self._body = body
        self._head_ends()

    def data_received(self, data: bytes) -> None:
        """Bytes have come. Those behind a request that is whole wait until it is answered.

        aiohttp would parse them at once. If they are no HTTP, it would keep an error for each piece, with the piece.
        """
        if self._failed:  # its answer ends the connection
            return
        if data and self.in_hand and self._body is not None and self._body.is_eof():
            self._held += data
            if self.transport is not None:
                self.transport.pause_reading()
            return
        if self.is_idle and data.strip(b"\r\n"):  # a request may be whole with this, and its turn comes later
            self.quiet = asyncio.get_running_loop().time()
        super().data_received(data)
        self._head_begins(data)

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer, and go on with what was held behind the request."""
        answered = await super().finish_response(request, resp, start_time)
        if self._held:  # a later turn of the loop knows whether aiohttp has another request in its queue
            asyncio.get_running_loop().call_soon(self._read_on)
        return answered

    def _read_on(self) -> None:
        if self.heard != self.answered or self.transport is None:
            return
        held, self._held = self._held, b""
        self.transport.resume_reading()
        self.data_received(held)

    def handle_error(self, *args: Any, **kw: Any) -> web.StreamResponse:  # noqa: ANN401 - as aiohttp has it
        """The answer to what is no request; it ends the connection."""
        self._failed = True
        return super().handle_error(*args, **kw)


class _Server(web.Server):
    """`usual`, with connections that `make` makes."""

    def __init__(self, usual: web.Server, make: Callable[[web.Server], HttpConnection]) -> None:
        super().__init__(
            usual.request_handler, request_factory=self._begin, handler_cancellation=usual.handler_cancellation
        )
        self._usual = usual
        self._make = make

    def __call__(self) -> RequestHandler:
        return self._make(self)

    def _begin(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> BaseRequest:
        if isinstance(protocol, PlainConnection):
            protocol.begin(payload)
        return self._usual.request_factory(message, payload, protocol, writer, task)

    @property
    def connections(self) -> list[RequestHandler]:
        return self._usual.connections

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        self._usual.connection_made(handler, transport)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        self._usual.connection_lost(handler, exc)


class HttpRunner(web.AppRunner):
    """Runs an application on connections of a given kind."""

    def __init__(
        self,
        app: web.Application,
        kind: type[HttpConnection],
        *,
        shutdown_timeout: float = 60.0,
        handler_cancellation: bool = False,
        **options: Any,  # noqa: ANN401 - passed on
    ) -> None:
        """`options`: of the connections."""
        super().__init__(app, shutdown_timeout=shutdown_timeout, handler_cancellation=handler_cancellation)
        self._make = partial(kind.maker(app), access_log=None, **options)
        self._ours: _Server | None = None

    @property
    def server(self) -> web.Server | None:
        """What the sites take connections for; null before `setup`, and after `cleanup`."""
        usual = super().server
        if usual is None:
            return None
        if self._ours is None:
            self._ours = _Server(usual, self._make)
        return self._ours

    @property
    def in_hand(self) -> int:
        """How many connections have a request that is being answered."""
        connections = self.server.connections if self.server is not None else ()
        return sum(isinstance(each, HttpConnection) and each.in_hand for each in connections)
