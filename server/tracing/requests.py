"""Traces the requests that take aiohttp's path, in workers and in the keeper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from server.http.errors import endpoint_of
from server.http.request_log.request_ids import REQUEST_ID, id_of
from server.tracing.records import Attributes
from server.tracing.tracer import Trace, TraceableId, Tracer, new_span_id

# A longer path is cut: it can have 8 KiB.
_LONGEST_PATH = 200

TRACER = web.AppKey("tracer", Tracer)
# Of the request; only if it is recorded.
TRACE = web.RequestKey("trace", Trace)


def tracing(tracer: Tracer) -> Middleware:
    """Middleware that names each request and records it. It must be the first, because the others use the name."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        own = request[REQUEST_ID] = tracer.identify(request.headers)
        if not isinstance(own, TraceableId) or not own.trace.sampled:
            return await handler(request)
        request[TRACE] = own.trace
        status, error = None, ""
        try:
            response = await handler(request)
            status = response.status
        except web.HTTPException as refused:
            status = refused.status
            raise
        except BaseException as failure:
            error = type(failure).__name__  # CancelledError: the client has disconnected
            raise
        finally:
            _finish(tracer, own.trace, request, status, error)
        return response

    return middleware


def _finish(tracer: Tracer, trace: Trace, request: web.Request, status: int | None, error: str) -> None:
    method, _, route = endpoint_of(request).partition(" ")
    own: Attributes = {"http.request.method": request.method, "url.path": request.rel_url.raw_path[:_LONGEST_PATH]}
    if route:  # there is such an endpoint
        own["http.route"] = route
    tracer.finish(trace, f"{method} {route}" if route else request.method, status, own, error)


@contextmanager
def calling(request: web.Request, name: str) -> Iterator[dict[str, str]]:
    """Record a call that a request makes to another process. Yields the headers that the call must have."""
    own = id_of(request)
    if not isinstance(own, TraceableId):
        yield {}
        return
    trace, begin = own.trace, perf_counter()
    if not trace.sampled:
        yield trace.parent(trace.span_id)
        return
    span_id = new_span_id()
    try:
        yield trace.parent(span_id)
    finally:
        trace.add(name, begin, perf_counter(), {"http.request.method": request.method}, span_id)
