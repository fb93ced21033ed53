"""The fast path: an ordinary prediction request is answered without a task, a router or middleware.

aiohttp creates two tasks, a request, a response and their tables for each request, which takes a third of a
prediction's time. A request that is unusual in any way takes aiohttp's path and gets the same answer. This is the only
module that uses private attributes of aiohttp: PRIVATE.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.http_parser import RawRequestMessage

from core.errors import Overloaded, ServiceError
from core.serving.routing import Question, Result
from server.api import answers, decoding
from server.auth.access import Level
from server.auth.client_address import FORWARDED_FOR
from server.http.admission import Admission
from server.http.bodies.malformed import no_text
from server.http.connections.connection import HttpConnection
from server.http.connections.parser import SharedParser
from server.http.deadline import HEADER as TIMEOUT
from server.http.deadline import deadline
from server.http.headers import RAW_ANSWER, raw_refusal
from server.http.request_log import access_log
from server.logs.request_id import HEADER as REQUEST_ID
from server.logs.request_id import during
from server.worker.fast_path.heads import HeadReader, RequestHead
from server.worker.fast_path.inference import Exchange
from server.worker.fast_path.services import Services
from server.worker.handlers.predict import SHAPES
from server.worker.timings import Timings

# Private attributes of aiohttp's RequestHandler that are used here, and why.
PRIVATE = {"_parser": "only the parser's results show a request before aiohttp creates a task for it"}
# Methods of that parser that are used here. aiohttp does not document them.
PARSER = ("feed_data", "message_consumed")

# If the pause after a refusal would not be longer than this, there is none.
_SHORTEST_PAUSE_SECONDS = 0.002


class FastConnection(HttpConnection):
    """A connection with the fast path, for one request at a time. The batcher gives the result to the connection."""

    __slots__ = (
        "_begun",
        "_exchange",
        "_heads",
        "_held",
        "_on_path",
        "_parsed",
        "_path",
        "_pause",
        "_question",
        "_request_id",
        "_services",
    )

    def __init__(self, services: Services, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(services.refusals, *args, **options)
        self._parser: Any = SharedParser(self._parser, self)
        self._services = services
        self._heads = HeadReader()
        self._on_path = False  # whether a request is on the fast path
        self._path: str
        self._exchange: Exchange | None = None  # if that request is one of the Open Inference Protocol
        self._request_id: str
        self._begun: tuple[float, str, str]  # for the access log: the time of the head, the caller and its address
        self._question: Question
        self._parsed: float  # when the question was decoded, of time.perf_counter
        self._held = b""  # bytes received behind that request
        self._pause: asyncio.TimerHandle | None = None  # after a refusal, while nothing is read

    @classmethod
    def maker(cls, app: web.Application) -> Callable[..., HttpConnection]:
        """See HttpConnection."""
        return partial(cls, Services.of(app))

    @property
    def in_progress(self) -> bool:
        """Whether a request is being answered, on either path, or waits for the one before it."""
        return self.received != self.answered or bool(self._held)

    @property
    def is_idle(self) -> bool:
        """See HttpConnection. During the pause after a refusal, requests may have arrived that are not read yet."""
        return super().is_idle and self._pause is None

    def data_received(self, data: bytes) -> None:
        """Parse bytes. Those behind a request on the fast path are held until it is answered, to keep the order."""
        if self._on_path or self._held:
            if data:  # aiohttp calls this without bytes to continue with those that it has
                self._held += data
                if self.transport is not None:
                    self.transport.pause_reading()
            return
        known = self._heads.find(data) if self.received == self.answered else None
        if known is not None and self._may_take(known[0]):
            self.received += 1
            self._begin(*known)
            return
        before = self.received
        super().data_received(data)
        if data:
            self._heads.end(data)
        if self.received == before:
            self._head_begins(data)
        elif self._head_timer is not None:
            self._head_ends()

    def take(self, message: RawRequestMessage, body: StreamReader) -> bool:
        """Begin to answer a request on the fast path. Returns false if aiohttp must answer it.

        The connection must be idle, and the request complete.
        """
        head = self._heads.read(message, body)
        if head is None or self.received != self.answered + 1 or not self._may_take(head):
            return False
        # A body that arrives with its head is part of one read of 256 KiB, which is less than any of the paths allows.
        self._begin(head, body.read_nowait())
        return True

    def _may_take(self, head: RequestHead) -> bool:
        to, unread = self._services, self.writing_paused  # unread: the client does not read its answers
        return not unread and not to.draining.closing and to.access.allows(head.message.headers, Level.API)

    def _begin(self, head: RequestHead, text: bytes) -> None:
        """Begin to answer a request. text: its body."""
        to = self._services
        message, target = head
        headers = message.headers
        self._on_path = True
        self._path = message.path
        self._request_id = to.identify(headers)
        self._exchange = None if target is None else Exchange(to.inference, target, self._request_id)
        if to.access_log:
            address = to.addresses.of(self._peer(), headers.getall(FORWARDED_FOR, ()))
            self._begun = perf_counter(), to.access.caller(headers), address
        try:
            to.admission.enter()
        except Overloaded as error:
            self._refuse(error)
            self._pause_reading()
            return
        try:
            came = perf_counter()
            until = deadline(headers, to.timeout_ms) if TIMEOUT in headers else came + to.timeout_ms / 1e3
            if (exchange := self._exchange) is None:
                text.decode()  # the JSON decoder checks the UTF-8 of only the strings that it keeps
                self._question = decoding.prediction(text, came, until, request_id=self._request_id)
            elif exchange.read(text, headers, came, until) == 1:
                self._question = exchange.question()
            else:
                exchange.ask_several(partial(self._answer_several, exchange))
                return
            self._parsed = perf_counter()
            to.batcher.ask_for(self._question, self)
        except UnicodeDecodeError as error:
            self.set_exception(no_text(error.start, error.object))
        except Exception as error:  # noqa: BLE001 - it is answered
            self.set_exception(error)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Abandon the request on the fast path: the client has disconnected. `cancelled` reports it to the batcher."""
        if self._pause is not None:
            self._pause.cancel()
        if self._on_path:
            self._on_path = False
            if self._exchange is not None:
                self._exchange.abandon()
            self._place.leave()
            self._services.metrics.abandoned.inc()
        super().connection_lost(exc)

    def cancelled(self) -> bool:
        """Whether the client has disconnected."""
        return self.transport is None

    def set_result(self, result: Result) -> None:
        """Answer the request."""
        if isinstance(result, ServiceError):
            self.set_exception(result)
            return
        to, question, known = self._services, self._question, perf_counter()
        try:
            now = to.clock.now()
            if (exchange := self._exchange) is not None:
                text, size = exchange.written(question, result, self._parsed, now.http)
            else:
                body = answers.encoded(SHAPES[self._path], question, result, now)
                spent = result.prediction.spent
                timing = to.metrics.timings.add(Timings.of(question.since, self._parsed, known, spent))
                size, head = len(body), (now.http.encode(), self._request_id.encode(), timing.encode())
                text = RAW_ANSWER % (size, *head, body)
        except Exception as error:  # noqa: BLE001 - it is answered
            self.set_exception(error)
        else:
            self._place.leave()
            self._write(text, 200, size)

    def _answer_several(self, exchange: Exchange) -> None:
        """Answer a request of several items by the protocol."""
        if not self._on_path:  # the client disconnected after the work ended, in the same turn of the event loop
            return
        try:
            text, size = exchange.several(self._services.clock.now().http)
        except Exception as error:  # noqa: BLE001 - it is answered
            self.set_exception(error)
        else:
            exchange.admission.leave()
            self._write(text, 200, size)

    def set_exception(self, error: Exception) -> None:
        """Answer that the request failed."""
        self._place.leave()
        if self._exchange is not None:
            self._exchange.failed(error)
        self._refuse(error)

    @property
    def _endpoint(self) -> str:
        """The path as in the table of endpoints."""
        return self._path if self._exchange is None else self._exchange.endpoint

    @property
    def _place(self) -> Admission:
        """Where the request on the fast path has its place."""
        return self._services.admission if self._exchange is None else self._exchange.admission

    def _refuse(self, error: Exception) -> None:
        to = self._services
        with during(self._request_id):
            refused = to.refusals.answer(error, f"POST {self._path}", f"POST {self._endpoint}")
        headers = {REQUEST_ID: self._request_id} | refused.headers
        text = raw_refusal(refused.status, headers, to.clock.now().http, refused.body)
        self._write(text, refused.status, len(refused.body))

    def _write(self, text: bytes, status: int, size: int) -> None:
        """Write a whole answer. `size`: of its body."""
        self._on_path = False
        self.answered += 1
        if self.transport is None:
            return
        self.transport.write(text)
        if self._services.access_log:
            self._log_access(status, size)
        loop = asyncio.get_running_loop()
        self.idle_since = loop.time()
        if self._held:  # in a later turn, because other requests of the batch wait for their answers
            loop.call_soon(self._read_on)
        if self._half_closed:
            self._end_if_answered()

    def _peer(self) -> str | None:
        peer = self.transport.get_extra_info("peername") if self.transport is not None else None
        return str(peer[0]) if isinstance(peer, tuple) else None if peer is None else ""  # a Unix socket's is a text

    def _log_access(self, status: int, size: int) -> None:
        began, caller, address = self._begun
        answer = status, size, perf_counter() - began
        access_log.note(access_log.AccessEntry("POST", self._path, *answer, caller, address, self._request_id))

    def _pause_reading(self) -> None:
        """Read nothing for a while if many requests are refused: see Admission.pause_seconds."""
        seconds = self._services.admission.pause_seconds
        if seconds > _SHORTEST_PAUSE_SECONDS and self.transport is not None:
            self.transport.pause_reading()
            self._pause = asyncio.get_running_loop().call_later(seconds, self._end_pause)

    def _end_pause(self) -> None:
        self._pause = None
        self._read_on()

    def _read_on(self) -> None:
        """Resume reading and parse the held bytes, unless there is still a reason to pause.

        This class pauses reading for two reasons: bytes are held, or a refusal was sent. This method is called when one
        of them ends. aiohttp pauses reading only while it answers a request, and it answers none while one is on the
        fast path. Reading resumes before the held bytes are parsed, because they can make aiohttp pause again.
        """
        if self._pause is not None or (self._on_path and self._held):
            return
        if self.transport is not None:
            self.transport.resume_reading()
        held, self._held = self._held, b""
        self.data_received(held)  # even without bytes: the parser may have kept requests, see finish_response

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - as aiohttp has it
        """Close the connection after the answer in progress is written."""
        while self._on_path and self.transport is not None:  # noqa: ASYNC110 - for a turn or two
            await asyncio.sleep(0)
        await super().shutdown(timeout)
