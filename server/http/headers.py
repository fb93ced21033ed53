"""Headers of every answer, and the CORS headers that let pages of listed origins read it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from server.http.deadline import HEADER as TIMEOUT
from server.http.request_log.request_ids import id_of
from server.logs.request_id import HEADER as REQUEST_ID
from server.logs.request_id import TRACE_HEADER

# Answers are data: a browser must not guess their type, frame them or store them. Only files of /docs are stored.
SECURITY = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store"}
# The bytes of the JSON object in a body with binary tensors behind it (server.open_inference.rest).
JSON_LENGTH = "Inference-Header-Content-Length"
_PREFLIGHT_SECONDS = "600"
# Headers that pages may send.
_SENT = (hdrs.AUTHORIZATION, hdrs.CONTENT_TYPE, TIMEOUT, REQUEST_ID, TRACE_HEADER, JSON_LENGTH)

_RAW_SECURITY = "".join(f"{name}: {value}\r\n" for name, value in SECURITY.items()).encode()
_RAW_ANSWER = (
    b"""\
HTTP/1.1 200 OK\r
Content-Type: {kind}\r
Content-Length: %d\r
Date: %b\r
X-Request-Id: %b\r
Server-Timing: %b\r
"""
    + _RAW_SECURITY
    + b"""\r
%b"""
)
# A whole answer, written without aiohttp. Its values: the body's length, the date, the request's id, the
# Server-Timing, and the body.
RAW_ANSWER = _RAW_ANSWER.replace(b"{kind}", b"application/json")
# The same for a body with binary tensors; before these values, JSON_LENGTH.
RAW_TENSORS = _RAW_ANSWER.replace(b"{kind}", f"application/octet-stream\r\n{JSON_LENGTH}: %b".encode())
_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}
_RAW = b"""\
HTTP/1.1 %d %b\r
Content-Length: %d\r
Date: %b\r
%b\r
%b"""


def raw(status: int, own: Mapping[str, str], date: str, body: bytes) -> bytes:
    """A whole answer, written without aiohttp. own: headers that only this answer has, and its Content-Type."""
    headers = _RAW_SECURITY + "".join([f"{name}: {value}\r\n" for name, value in own.items()]).encode()
    return _RAW % (status, _PHRASES[status], len(body), date.encode(), headers, body)


def raw_refusal(status: int, own: Mapping[str, str], date: str, body: bytes) -> bytes:
    """An answer with a status other than 200, as of `raw`. Its body is JSON."""
    return raw(status, {"Content-Type": "application/json", **own}, date, body)


def preparing(origins: Sequence[str]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """The signal handler that adds the headers before an answer's head is written."""

    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        for name, value in SECURITY.items():
            response.headers.setdefault(name, value)
        response.headers.pop(hdrs.SERVER, None)  # aiohttp's and Python's versions, which help only an attacker
        response.headers[REQUEST_ID] = id_of(request)
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and origin in origins:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = f"{REQUEST_ID}, {JSON_LENGTH}"
            response.headers.add(hdrs.VARY, hdrs.ORIGIN)

    return prepare


def preflight(origins: Sequence[str]) -> Middleware:
    """Middleware that lets browsers call for pages of these origins (Fetch standard, section 3.3.6)."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = request.headers
        if request.method != hdrs.METH_OPTIONS or headers.get(hdrs.ORIGIN) not in origins:
            return await handler(request)
        return web.Response(
            status=204,
            headers={
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, POST",
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: ", ".join(_SENT),
                hdrs.ACCESS_CONTROL_MAX_AGE: _PREFLIGHT_SECONDS,
            },
        )

    return middleware
