"""Client connections: aiohttp's, with timeouts for heads and idle connections, and a log that quotes nothing.

This module relies only on what aiohttp documents or leaves to subclasses; server.worker.fast_path relies on more.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.log import server_logger
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from server.http.app_keys import REFUSALS
from server.http.bodies.body import CONNECTIONS
from server.http.connections.faults import LastAnswer, MalformedRequest, ends_connection, fault_of
from server.http.errors import NO_ENDPOINT, Refusals
from server.http.fairness import TURNS, let_others_run
from server.http.log_redaction import RedactingLogger
from server.http.request_log.request_ids import id_of
from server.logs.request_id import during

# From the first byte of a request's head to its last.
HEAD_SECONDS = 10.0
# A client that is refused before the end of its body can send on for this long, so that it reads the refusal.
LINGERING_SECONDS = 2.0
# How often a half-closed connection with a request in progress is checked for a reset, which the event loop does not
# report once the client has ended its side.
RESET_CHECK_SECONDS = 0.1
_BAD_REQUEST = 400
# aiohttp's own idle timer does not see requests on the fast path. This value disables it.
_NEVER_SECONDS = 10 * 365 * 86_400.0

_LOG = RedactingLogger(server_logger, None)


class HttpConnection(RequestHandler):
    """One connection. Its subclasses count in `received` the requests that have arrived, as far as each can know."""

    __slots__ = (
        "_body",
        "_broken",
        "_discarding",
        "_half_closed",
        "_head_timer",
        "_idle_timer",
        "_keep_seconds",
        "_refusals",
        "_reset_timer",
        "answered",
        "idle_since",
        "received",
    )

    def __init__(
        self,
        refusals: Refusals,
        server: web.Server,
        *,
        keepalive_timeout: float,
        **options: Any,  # noqa: ANN401 - aiohttp's
    ) -> None:
        """`keepalive_timeout`: seconds after which an idle connection is closed. `options`: aiohttp's."""
        given = {**options, **CONNECTIONS, "keepalive_timeout": _NEVER_SECONDS, "lingering_time": 0.0}
        super().__init__(server, loop=asyncio.get_running_loop(), logger=_LOG, **given)  # type: ignore[arg-type]
        self._refusals = refusals
        self._keep_seconds = keepalive_timeout
        self._discarding = False  # whether the rest of an answered request's body is being read
        self._half_closed = False  # whether the client has ended its side, but may still read answers
        self._broken: BaseException | None = None  # the parser's failure, after which nothing is parsed
        self._body: StreamReader | None = None  # of the last request whose turn came in aiohttp's queue
        self.received = 0  # number of requests
        self.answered = 0  # number of requests
        self.idle_since = 0.0  # in the event loop's time; valid if the connection is idle
        self._head_timer: asyncio.TimerHandle | None = None  # while a head is incomplete
        self._idle_timer: asyncio.TimerHandle | None = None
        self._reset_timer: asyncio.TimerHandle | None = None  # while half-closed with a request in progress

    @classmethod
    def maker(cls, app: web.Application) -> Callable[..., HttpConnection]:
        """A function that makes connections to an application, with the arguments of __init__ after the first."""
        return partial(cls, app[REFUSALS])

    @property
    def in_progress(self) -> bool:
        """Whether a request is being answered."""
        return self.received != self.answered

    @property
    def is_idle(self) -> bool:
        """Whether every request is answered, and everything that has arrived is read."""
        return not self.in_progress and not self._discarding

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the idle timer: a client has connected."""
        super().connection_made(transport)
        self.idle_since = asyncio.get_running_loop().time()
        self._close_if_idle()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the timers: the client has disconnected."""
        if not self.received:
            self._refusals.strangers.note("silent", None, "" if exc is None else type(exc).__name__)
        for timer in (self._head_timer, self._idle_timer, self._reset_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override] # aiohttp returns None, which ends the connection
        """Answer what has arrived in full although the client sends no more. Returns whether the connection stays open.

        The event loop ends a TLS connection at this moment, whatever is returned.
        """
        if self.ssl_context is not None:
            return False
        self._half_closed = True
        self._end_if_answered()
        return True

    def _end_if_answered(self) -> None:
        """Close a half-closed connection if nothing is left to answer, or if a request will never be complete.

        It looks some turns of the event loop later, because aiohttp's next request has begun only then.
        """
        asyncio.get_running_loop().call_soon(self._end_after, TURNS, self.answered)

    def _end_after(self, turns: int, answered: int) -> None:
        if self.transport is None or self.answered != answered:  # another look follows each answer
            return
        if turns:
            asyncio.get_running_loop().call_soon(self._end_after, turns - 1, answered)
        elif self.is_idle or (self._body is not None and not self._body.is_eof()):
            self.force_close()
        elif self._reset_timer is None:
            self._check_for_reset()

    def _check_for_reset(self) -> None:
        """Abandon the request of a half-closed connection if the client has reset it since; otherwise check again.

        A client that has closed its socket looks like one that still reads, until an answer is written.
        """
        if self.transport is None:
            return
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), 0)  # errors are reported in any case
        if poll.poll(0):
            self.transport.abort()
        else:
            self._reset_timer = asyncio.get_running_loop().call_later(RESET_CHECK_SECONDS, self._check_for_reset)

    def begin(self, body: StreamReader) -> None:
        """Note that a request's turn in aiohttp's queue has come."""
        self._body = body
        if self._broken is not None:
            self.broken(self._broken)
        if self._half_closed:
            self._end_if_answered()

    def broken(self, error: BaseException) -> None:
        """End the wait for the rest of a body: the parser has failed, and reads nothing further."""
        self._broken = error
        if self._body is not None and not self._body.is_eof():
            self._body.set_exception(web.RequestPayloadError(fault_of(error).message))

    def _close_if_idle(self) -> None:
        """Close the connection if it has been idle for long enough; otherwise check again later."""
        loop = asyncio.get_running_loop()
        since = self.idle_since if self.is_idle else loop.time()
        left = since + self._keep_seconds - loop.time()
        if left > 0.0:
            self._idle_timer = loop.call_later(left, self._close_if_idle)
        else:
            self.force_close()

    def _head_begins(self, data: bytes) -> None:
        """Start the head timer if these bytes, which complete no request, are the first of a head."""
        if self._head_timer is None and self.transport is not None and self.is_idle and data.strip(b"\r\n"):
            self._head_timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.force_close)

    def _head_ends(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer, and discard the rest of the request's body.

        aiohttp's parser counts a queued request when its body ends. If the request has left the queue before that, the
        count stays one too high. The parser then stops at its limit of 32 while the queue holds 31. aiohttp resumes the
        parser only for a full queue, which this is not. Therefore the last request of a queue resumes it.
        """
        if ends_connection(request) or request.content.exception() is not None:
            resp.force_close()
        if self.received == self.answered + 1:
            self._resume_parser(request)
        try:
            answered = await super().finish_response(request, resp, start_time)
        finally:
            self.answered += 1
            self.idle_since = asyncio.get_running_loop().time()
        if not request.content.is_eof():
            self._discarding = True
            await self._discard(request.content)
            self._discarding = False
            if not self.in_progress:
                self._resume_parser(request)
        if self._half_closed:
            self._end_if_answered()
        return answered

    def _resume_parser(self, request: BaseRequest) -> None:
        """Make the parser continue with bytes that it may have kept behind a request."""
        if request.keep_alive and request.content.is_eof():
            self.data_received(b"")

    @staticmethod
    async def _discard(body: StreamReader) -> None:
        """Read what the handler has not. aiohttp would not let other requests run between a body's tiny chunks."""
        with suppress(TimeoutError, ConnectionError, web.RequestPayloadError):
            async with asyncio.timeout(LINGERING_SECONDS):
                while not body.is_eof():
                    await body.readany()
                    await let_others_run()

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to bytes that are not HTTP, which ends the connection. A stranger can send thousands of them."""
        if status != _BAD_REQUEST:
            return super().handle_error(request, status, exc, message)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun")
        fault = fault_of(exc)
        if isinstance(fault, MalformedRequest):
            self._refusals.strangers.note("not_http", request.remote, type(exc).__name__)
            return LastAnswer(self._refusals, self._refusals.unlogged(fault), id_of(request))
        with during(id_of(request)):
            return LastAnswer(self._refusals, self._refusals.answer(fault, NO_ENDPOINT, NO_ENDPOINT), id_of(request))

    def log_exception(self, *args: Any, **kw: Any) -> None:  # noqa: ANN401 - as aiohttp has it
        """Log an error of aiohttp, at most one a second: a client can cause thousands."""
        if self._refusals.is_due("aiohttp"):
            super().log_exception(*args, **kw)
