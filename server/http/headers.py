"""Headers that every answer has, and those that let pages of other origins read it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from server.http.deadline import HEADER as TIMEOUT

# Answers are data: not to be guessed at, framed or kept by a browser.
SECURITY = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store"}
_PREFLIGHT_SECONDS = "600"


def preparing(origins: Sequence[str]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """The signal handler that adds them, before an answer's head is written."""

    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(SECURITY)
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and origin in origins:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers.add(hdrs.VARY, hdrs.ORIGIN)

    return prepare


def preflight(origins: Sequence[str]) -> Middleware:
    """Tell browsers that pages of these origins may call (Fetch standard, section 3.3.6)."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = request.headers
        if request.method != hdrs.METH_OPTIONS or headers.get(hdrs.ORIGIN) not in origins:
            return await handler(request)
        return web.Response(
            status=204,
            headers={
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, POST",
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: f"Authorization, Content-Type, {TIMEOUT}",
                hdrs.ACCESS_CONTROL_MAX_AGE: _PREFLIGHT_SECONDS,
            },
        )

    return middleware
