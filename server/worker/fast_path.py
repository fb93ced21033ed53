"""The fast path: a prediction that looks as nearly all do is answered without a task, a router or a middleware.

aiohttp makes two tasks, a request, a response and their tables for each request, which takes a third of a
prediction's time. Whatever is not as usual goes aiohttp's way, to the same answer. This is the only module that knows
of what aiohttp calls private: PRIVATE.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

from aiohttp import HttpVersion11, StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from core.errors import Overloaded, ServiceError
from core.serving.batching import Batcher
from core.serving.routing import Question, Result
from server.api import answers, decoding
from server.auth.access import Access, Level
from server.http.admission import Admission
from server.http.app_keys import ACCESS, ADMISSION, CLOCK, REFUSALS, SETTINGS
from server.http.bodies.malformed import no_text
from server.http.clock import Clock
from server.http.connection import HttpConnection, PlainConnection
from server.http.deadline import HEADER as TIMEOUT
from server.http.deadline import deadline
from server.http.errors import Refusals
from server.http.headers import RAW_ANSWER, raw_refusal
from server.worker.app_keys import BATCHER, DRAINING, METRICS
from server.worker.draining import Draining
from server.worker.handlers.predict import SHAPES
from server.worker.metrics import Metrics
from server.worker.timings import Timings

log = logging.getLogger(__name__)

# Attributes of aiohttp's RequestHandler that are private, and why they are needed all the same.
PRIVATE = {
    "_parser": "a request is seen before a task is made for it only where the parser's finds are",
}
# What is asked of that parser, which aiohttp documents nowhere.
_PARSER = ("feed_data", "message_consumed")

# A client that is refused is heard again at once, if silence would be as short as this.
_HEARD_SECONDS = 0.002


def missing() -> list[str]:
    """What the fast path needs of aiohttp and the installed one does not have, or has for something else."""
    absent = [f"RequestHandler.{name}" for name in PRIVATE if not hasattr(RequestHandler, name)]
    absent += [f"HttpRequestParser.{name}" for name in _PARSER if not hasattr(HttpRequestParser, name)]
    own = {name for kind in (HttpConnection, PlainConnection, FastConnection) for name in kind.__slots__}
    return absent + [f"RequestHandler without {name}" for name in sorted(own) if hasattr(RequestHandler, name)]


def kind_of_connection(*, fast_path: bool) -> type[HttpConnection]:
    """The connections with the fast path where that is wanted and can be had, which the log tells; else the others."""
    if not fast_path:
        return PlainConnection
    if absent := missing():
        log.warning("this aiohttp has no %s: predictions are answered without the fast path", ", ".join(absent))
        return PlainConnection
    return FastConnection


class _Services(NamedTuple):
    """What a request on the fast path needs of the application. timeout_ms: of one that names none."""

    access: Access
    admission: Admission
    batcher: Batcher[Question, Result]
    clock: Clock
    draining: Draining
    metrics: Metrics
    refusals: Refusals
    timeout_ms: int


class _Parser:
    """aiohttp's parser of one connection, but for the requests that the connection takes."""

    def __init__(self, parser: Any, connection: FastConnection) -> None:  # noqa: ANN401
        self._parser = parser
        self._connection = connection
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
            self._connection.heard += 1  # aiohttp answers it as a request
            raise
        if requests := found[0]:
            self._connection.heard += len(requests)
            if len(requests) == 1 and self._connection.take(*requests[0]):
                self._parser.message_consumed()
                return (), *found[1:]
        return found

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._parser, name)


class FastConnection(HttpConnection):
    """It is what the batcher answers to: at most one request of it is on the fast path at a time."""

    __slots__ = ("_held", "_on_path", "_parsed", "_path", "_question", "_services", "_silence")

    def __init__(self, services: _Services, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(services.refusals, *args, **options)
        self._parser: Any = _Parser(self._parser, self)
        self._services = services
        self._on_path = False  # whether a request is on the fast path
        self._path: str
        self._question: Question
        self._parsed: float  # when that was decoded, of time.perf_counter
        self._held = b""  # what has come since
        self._silence: asyncio.TimerHandle | None = None  # after a refusal, while nothing is read

    @classmethod
    def maker(cls, app: web.Application) -> Callable[..., HttpConnection]:
        """As of HttpConnection."""
        services = _Services(
            access=app[ACCESS],
            admission=app[ADMISSION],
            batcher=app[BATCHER],
            clock=app[CLOCK],
            draining=app[DRAINING],
            metrics=app[METRICS],
            refusals=app[REFUSALS],
            timeout_ms=app[SETTINGS].request_timeout_ms,
        )
        return partial(cls, services)

    @property
    def in_hand(self) -> bool:
        """Whether a request of it is being answered, on either way, or waits until another one is."""
        return self.heard != self.answered or bool(self._held)

    @property
    def is_idle(self) -> bool:
        """As of HttpConnection. In the silence after a refusal something may have come that is not read yet."""
        return super().is_idle and self._silence is None

    def data_received(self, data: bytes) -> None:
        """Bytes have come. Those that follow a request on the fast path wait for its answer, as order demands."""
        if self._on_path or self._held:
            if data:  # aiohttp calls this with nothing, to go on with what it has
                self._held += data
                if self.transport is not None:
                    self.transport.pause_reading()
            return
        before = self.heard
        super().data_received(data)
        if self.heard == before:
            self._head_begins(data)
        elif self._head_timer is not None:
            self._head_ends()

    def take(self, message: RawRequestMessage, body: StreamReader) -> bool:
        """Whether a request goes the fast path. On that the connection must be idle, and the request whole."""
        to = self._services
        headers = message.headers
        if (
            message.path not in SHAPES
            or self.heard != self.answered + 1
            or not body.is_eof()
            or message.method != "POST"
            or message.version != HttpVersion11
            or message.should_close
            or message.upgrade
            or headers.get("Content-Type", "application/json") != "application/json"
            or "Content-Encoding" in headers
            or "Expect" in headers
            or "Origin" in headers
            or self.writing_paused  # it does not read its answers
            or to.draining.closing
            or not to.access.allows(headers, Level.API)
        ):
            return False
        self._on_path = True
        self._path = message.path
        # One that comes with its head is within one read, of 256 KiB: less than any of SHAPES may be sent.
        text = body.read_nowait()
        try:
            to.admission.enter()
        except Overloaded as error:
            self._refuse(error)
            self._fall_silent()
            return True
        try:
            came = perf_counter()
            until = deadline(headers, to.timeout_ms) if TIMEOUT in headers else came + to.timeout_ms / 1e3
            text.decode()  # the decoder looks only into the texts that it keeps
            self._question = decoding.prediction(text, came, until)
            self._parsed = perf_counter()
            to.batcher.ask_for(self._question, self)
        except UnicodeDecodeError as error:
            self.set_exception(no_text(error.start, error.object))
        except Exception as error:  # noqa: BLE001 - it is answered
            self.set_exception(error)
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has gone, and the batcher finds its question cancelled."""
        if self._silence is not None:
            self._silence.cancel()
        if self._on_path:
            self._on_path = False
            self._services.admission.leave()
            self._services.metrics.abandoned.inc()
        super().connection_lost(exc)

    def cancelled(self) -> bool:
        """Whether the client has gone."""
        return self.transport is None

    def set_result(self, result: Result) -> None:
        """Answer."""
        if isinstance(result, ServiceError):
            self.set_exception(result)
            return
        to, question, known = self._services, self._question, perf_counter()
        try:
            now = to.clock.now()
            body = answers.encoded(SHAPES[self._path], question, result, now)
            timing = to.metrics.timings.add(Timings.of(question.since, self._parsed, known, result.prediction.spent))
        except Exception as error:  # noqa: BLE001 - it is answered
            self.set_exception(error)
        else:
            to.admission.leave()
            self._write(RAW_ANSWER % (len(body), now.http.encode(), timing.encode(), body))

    def set_exception(self, error: Exception) -> None:
        """Answer that it failed."""
        self._services.admission.leave()
        self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        endpoint = f"POST {self._path}"
        to = self._services
        refused = to.refusals.answer(error, endpoint, endpoint)
        self._write(raw_refusal(refused.status, refused.headers, to.clock.now().http, refused.body))

    def _write(self, text: bytes) -> None:
        self._on_path = False
        self.answered += 1
        if self.transport is None:
            return
        self.transport.write(text)
        loop = asyncio.get_running_loop()
        self.quiet = loop.time()
        if self._held:  # not here, as others of the batch wait for their answers
            loop.call_soon(self._read_on)

    def _fall_silent(self) -> None:
        """Read nothing for a while, where many are refused: see Admission.patience."""
        seconds = self._services.admission.patience
        if seconds > _HEARD_SECONDS and self.transport is not None:
            self.transport.pause_reading()
            self._silence = asyncio.get_running_loop().call_later(seconds, self._end_silence)

    def _end_silence(self) -> None:
        self._silence = None
        self._read_on()

    def _read_on(self) -> None:
        """Read on, and parse what has come and is not parsed yet, unless there is still a reason not to.

        Reading is paused for two reasons of ours: bytes are held, or a refusal is followed by silence. Each calls this
        when it ends, and the last one to end resumes. aiohttp has reasons of its own, but only while it answers a
        request, which it does not while there is one of ours. It pauses anew where what was held gives it one:
        therefore reading resumes first.
        """
        if self._silence is not None or (self._on_path and self._held):
            return
        if self.transport is not None:
            self.transport.resume_reading()
        held, self._held = self._held, b""
        self.data_received(held)  # with nothing, too: the parser may have kept requests, see finish_response

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - as aiohttp has it
        """Close the connection, once the answer that is on its way is written."""
        while self._on_path and self.transport is not None:  # noqa: ASYNC110 - for a turn or two
            await asyncio.sleep(0)
        await super().shutdown(timeout)
