"""The fast path with tracing. Without it, connections are of the base class, so that nothing is asked for a request."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

from aiohttp import web

from core.errors import ServiceError
from core.serving.routing import Answered, Result
from server.http.connections.connection import HttpConnection
from server.tracing.records import Attributes
from server.tracing.requests import TRACER
from server.tracing.tracer import Tracer, recorded
from server.worker.fast_path.connection import FastConnection
from server.worker.fast_path.heads import RequestHead
from server.worker.fast_path.services import Services
from server.worker.tracing.phases import add_prediction


class TracedConnection(FastConnection):
    """A connection that records the requests that it answers, if they are sampled."""

    __slots__ = ("_known_at", "_result_known", "_tracer")

    def __init__(self, tracer: Tracer, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*args, **options)
        self._tracer = tracer
        self._result_known: Answered | None = None
        self._known_at = 0.0

    @classmethod
    def maker(cls, app: web.Application) -> Callable[..., HttpConnection]:
        """See HttpConnection."""
        return partial(cls, app[TRACER], Services.of(app))

    def _begin(self, head: RequestHead, text: bytes) -> None:
        self._result_known = None
        super()._begin(head, text)

    def set_result(self, result: Result) -> None:
        """See FastConnection."""
        if not isinstance(result, ServiceError):
            self._result_known, self._known_at = result, perf_counter()
        super().set_result(result)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See FastConnection."""
        if self._on_path:
            self._record(None, "ClientDisconnected")
        super().connection_lost(exc)

    def _write(self, text: bytes, status: int, size: int) -> None:
        encoded = perf_counter()
        super()._write(text, status, size)  # the client has its answer before it is recorded
        self._record(status, "", encoded)

    def _record(self, status: int | None, error: str, encoded: float = 0.0) -> None:
        trace, result = recorded(self._request_id), self._result_known
        if trace is None:
            return
        if result is not None and self._exchange is None:  # an exchange adds its phases itself
            add_prediction(trace, self._question.since, self._parsed, result.prediction)
            trace.add("encode", self._known_at, encoded)
        route = self._endpoint
        named: Attributes = {"http.request.method": "POST", "http.route": route, "url.path": self._path}
        self._tracer.finish(trace, f"POST {route}", status, named, error)
