"""The express way: a prediction that looks as nearly all do is answered without a task, a router or a middleware.

aiohttp makes two tasks, a request, a response and their tables for each request, which takes a third of a
prediction's time. Whatever is not as usual goes aiohttp's way, to the same answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from aiohttp import HttpVersion11, StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from aiohttp.log import server_logger
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from core.errors import Overloaded
from core.serving.routing import Result
from server.auth.access import Level
from server.http.app_keys import ACCESS, ADMISSION, CLOCK, REFUSALS, SETTINGS
from server.http.bodies.body import check_text
from server.http.deadline import deadline
from server.http.fairness import let_others_run
from server.http.headers import SECURITY
from server.http.log_redaction import RedactingLogger
from server.worker.app_keys import BATCHER, DRAINING, METRICS
from server.worker.handlers.predict import SHAPES, Inquiry, answer, inquire

# From the first byte of a request's head to its last.
HEAD_SECONDS = 10.0

# Who is refused is heard again at once, if silence would be as short as this.
_HEARD_SECONDS = 0.002

_LOG = RedactingLogger(server_logger, None)

_SECURITY = "".join(f"{name}: {value}\r\n" for name, value in SECURITY.items()).encode()
_ANSWER = (
    b"""\
HTTP/1.1 200 OK\r
Content-Type: application/json\r
Content-Length: %d\r
Date: %b\r
Server-Timing: %b\r
"""
    + _SECURITY
    + b"""\r
%b"""
)
_REFUSAL = b"""\
HTTP/1.1 %d %b\r
Content-Type: application/json\r
Content-Length: %d\r
Date: %b\r
%b\r
%b"""


class FastPathRunner(web.AppRunner):
    """Runs an application whose connections have the express way."""

    @property
    def in_hand(self) -> int:
        """How many requests are being answered."""
        connections = self.server.connections if self.server is not None else ()
        return sum(isinstance(each, _Handler) and each.in_hand for each in connections)

    async def _make_server(self) -> web.Server:
        return _Server(self.app, await super()._make_server())


class _Server(web.Server):
    """Does what `usual` would, with other handlers."""

    def __init__(self, app: web.Application, usual: web.Server) -> None:
        super().__init__(
            usual.request_handler,
            request_factory=usual.request_factory,
            handler_cancellation=usual.handler_cancellation,
            loop=usual._loop,  # noqa: SLF001 - as those that make it have them from their callers
            **usual._kwargs,  # noqa: SLF001
        )
        self._app = app

    def __call__(self) -> RequestHandler:
        return _Handler(self._app, self, loop=self._loop, **self._kwargs)


class _Parser:
    """aiohttp's parser of one connection, but for the requests that `take` takes."""

    def __init__(self, parser: Any, take: Callable[[RawRequestMessage, StreamReader], bool]) -> None:  # noqa: ANN401
        self._parser = parser
        self._take = take
        self._failed = False

    def feed_data(self, data: bytes) -> Any:  # noqa: ANN401 - as aiohttp has it
        """The requests that begin in these bytes, whether an upgrade follows, and what follows it."""
        if self._failed:
            # Its answer ends the connection. aiohttp would quote each quarter of a megabyte that follows in an error of
            # its own, for up to 8 MiB in one turn of the loop.
            return (), False, b""
        try:
            found = self._parser.feed_data(data)
        except HttpProcessingError:
            self._failed = True
            raise
        if len(found[0]) == 1 and self._take(*found[0][0]):
            self._parser.message_consumed()
            return (), *found[1:]
        return found

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._parser, name)


class _Handler(RequestHandler):
    """One connection. It is what the batcher answers to: at most one request of it goes the express way at a time."""

    __slots__ = (
        "_app",
        "_begun",
        "_busy",
        "_cutting",
        "_finished",
        "_held",
        "_inquiry",
        "_lingering_seconds",
        "_path",
        "_silence",
        "_taken",
    )

    def __init__(self, app: web.Application, server: web.Server, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        super().__init__(server, **options | {"logger": _LOG})
        self._parser = _Parser(self._parser, self._take)  # type: ignore[assignment] # it does what that does
        self._app = app
        self._lingering_seconds, self._lingering_time = self._lingering_time, 0.0  # it is done here
        self._busy = False  # with a request on the express way
        self._taken = False  # whether what came last was one
        self._finished = 0  # requests that aiohttp has answered
        self._begun = False  # whether there has been a request
        self._path: str
        self._inquiry: Inquiry
        self._held = b""  # what has come since
        self._cutting: asyncio.TimerHandle | None = None  # for a head that does not come
        self._silence: asyncio.TimerHandle | None = None  # after a refusal, while nothing is read

    @property
    def in_hand(self) -> bool:
        """Whether a request of it is being answered, on either way, or waits until another one is."""
        return self._busy or bool(self._held) or self._others > 0

    @property
    def _others(self) -> int:
        """Requests that went aiohttp's way and have no answer yet."""
        return self._request_count - self._finished

    def data_received(self, data: bytes) -> None:
        """Bytes have come. Those that follow a request on the express way wait for its answer, as order demands."""
        if self._busy or self._held:
            if data:  # aiohttp calls this with nothing, to go on with what it has
                self._held += data
                self._pause_reading_for_buffer()
            return
        self._taken = False
        before = self._request_count
        super().data_received(data)
        if self._taken or self._request_count != before:
            self._begun = True
            if self._cutting is not None:
                self._cutting.cancel()
                self._cutting = None
        elif self._cutting is None and self._is_between() and data.strip(b"\r\n"):  # a head has begun
            self._cutting = self._loop.call_later(HEAD_SECONDS, self.force_close)

    def _is_between(self) -> bool:
        """Whether the last request is answered and read to its end, or there was none."""
        return not self._others and (self._waiter is not None or not self._begun)

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write the answer to one of the others, and let the rest of its body pass.

        aiohttp's parser counts a request when its body ends. A request that left the queue before that is counted ever
        after: the parser stops at its limit of 32 when the queue holds 31, aiohttp does not take such a queue for
        full, and nothing would make the parser go on. So the last request of a queue makes it go on.
        """
        if self._others == 1:
            self._parse_on(request)
        try:
            answered = await super().finish_response(request, resp, start_time)
        finally:
            self._finished += 1
        if not request.content.is_eof():
            await self._pass(request.content)
            if self._others == 0:
                self._parse_on(request)
        return answered

    def _parse_on(self, request: BaseRequest) -> None:
        """Have the parser look at what it may have kept behind a request."""
        if request.keep_alive and request.content.is_eof():
            self.data_received(b"")

    async def _pass(self, body: StreamReader) -> None:
        """Read what the handler has not. aiohttp would do it without turns of the loop, which tiny chunks need."""
        with suppress(TimeoutError, ConnectionError, web.RequestPayloadError):
            async with asyncio.timeout(self._lingering_seconds):
                while not body.is_eof():
                    await body.readany()
                    await let_others_run()

    def _process_keepalive(self) -> None:
        """The connection has been idle for long, as far as aiohttp knows."""
        if self._busy or self._held or self._silence is not None:
            self._keepalive_handle = self._loop.call_later(self._keepalive_timeout, self._process_keepalive)
        else:
            super()._process_keepalive()

    def _take(self, message: RawRequestMessage, body: StreamReader) -> bool:
        """Whether a request goes the express way. On that the connection must be idle, and the request whole."""
        shape = SHAPES.get(message.path)
        headers = message.headers
        if (
            shape is None
            or self._others
            or not body.is_eof()
            or message.method != "POST"
            or message.version != HttpVersion11
            or message.should_close
            or message.upgrade
            or headers.get("Content-Type", "application/json") != "application/json"
            or "Content-Encoding" in headers
            or "Expect" in headers
            or "Origin" in headers
            or self._paused  # it does not read its answers
            or self._app[DRAINING].closing
            or not self._app[ACCESS].allows(headers, Level.API)
        ):
            return False
        app = self._app
        self._busy = self._taken = True
        self._path = message.path
        # One that comes with its head is within one read, of 256 KiB: less than any of SHAPES may be sent.
        text = body.read_nowait()
        try:
            app[ADMISSION].enter()
        except Overloaded as error:
            self._refuse(error)
            if (seconds := app[ADMISSION].patience) > _HEARD_SECONDS:
                self._pause_reading_for_buffer()
                self._silence = self._loop.call_later(seconds, self._end_silence)
            return True
        try:
            until = deadline(headers, app[SETTINGS].request_timeout_ms)
            check_text(text)
            self._inquiry = inquire(text, shape, until)
            app[BATCHER].ask_for(self._inquiry.question, self)
        except Exception as error:  # noqa: BLE001 - it is answered
            self.set_exception(error)
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has gone, and whoever has its question finds it cancelled."""
        if self._cutting is not None:
            self._cutting.cancel()
        if self._silence is not None:
            self._silence.cancel()
        if self._busy:
            self._busy = False
            self._app[ADMISSION].leave()
            self._app[METRICS].abandoned.inc()
        super().connection_lost(exc)

    def cancelled(self) -> bool:
        """Whether the client has gone."""
        return self.transport is None

    def set_result(self, result: Result) -> None:
        """Answer."""
        try:
            body, now, timing = answer(self._app, self._inquiry, result)
        except Exception as error:  # noqa: BLE001 - it is answered
            self.set_exception(error)
        else:
            self._app[ADMISSION].leave()
            self._write(_ANSWER % (len(body), now.http.encode(), timing.encode(), body))

    def set_exception(self, error: Exception) -> None:
        """Answer that it failed."""
        self._app[ADMISSION].leave()
        self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        endpoint = f"POST {self._path}"
        refused = self._app[REFUSALS].answer(error, endpoint, endpoint)
        phrase = HTTPStatus(refused.status).phrase.encode()
        headers = _SECURITY + "".join(f"{name}: {value}\r\n" for name, value in refused.headers.items()).encode()
        size, date = len(refused.body), self._app[CLOCK].now().http.encode()
        self._write(_REFUSAL % (refused.status, phrase, size, date, headers, refused.body))

    def _write(self, text: bytes) -> None:
        self._busy = False
        if self.transport is None:
            return
        self.transport.write(text)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._held:  # not here, as others of the batch wait for their answers
            self._loop.call_soon(self._resume_reading_if_drained)

    def _end_silence(self) -> None:
        self._silence = None
        self._resume_reading_if_drained()

    def _resume_reading_if_drained(self) -> None:
        """Parse what has come and is not parsed yet, and read on unless there is still a reason not to.

        Reading is resumed here and nowhere else. One flag of aiohttp's stands for all reasons to pause: bytes that are
        held, the silence after a refusal, and aiohttp's own, of which its full queue is one. Each reason calls this
        when it ends, and the last one to end resumes. aiohttp's part feeds the parser, which keeps the requests beyond
        its limit, before it clears the flag: afterwards aiohttp would not look there again.
        """
        if self._silence is not None or (self._busy and self._held):
            return
        held, self._held = self._held, b""
        if held:
            self.data_received(held)
        if self._silence is None:  # what was held may have been refused
            super()._resume_reading_if_drained()

    def log_exception(self, *args: Any, **kw: Any) -> None:  # noqa: ANN401 - as aiohttp has it
        """What aiohttp says of requests that are none, of which anybody can send thousands."""
        if self._app[REFUSALS].is_due("aiohttp"):
            super().log_exception(*args, **kw)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - as aiohttp has it
        """Close the connection, once the answer that is on its way is written."""
        while self._busy and self.transport is not None:  # noqa: ASYNC110 - for a turn or two
            await asyncio.sleep(0)
        await super().shutdown(timeout)
