"""The end of a server, step by step, so that nobody is cut off who need not be."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


class Draining:
    """How far a worker is on its way to its end.

    announced: the server will stop, so that /readyz sends nobody here any more; all is answered as before.
    closing: this worker ends, so that each answer is its connection's last.
    """

    def __init__(self) -> None:
        self.announced = False
        self.closing = False


def last_answers(draining: Draining) -> Middleware:
    """Tell clients whose worker ends that their next request needs another connection."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if draining.closing and not response.prepared:
            response.force_close()
        return response

    return middleware
