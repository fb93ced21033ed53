"""Graceful shutdown of a worker, in two steps, so that no request in progress is cut off."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


class Draining:
    """How far a worker's shutdown has come.

    announced: the server is shutting down. /readyz answers 503; everything else is answered as before.
    closing: this worker is shutting down. Each answer closes its connection.
    """

    def __init__(self) -> None:
        self.announced = False
        self.closing = False


def last_answers(draining: Draining) -> Middleware:
    """Middleware that closes each connection with its next answer while the worker shuts down."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if draining.closing and not response.prepared:
            response.force_close()
        return response

    return middleware
