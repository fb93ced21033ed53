"""Graceful shutdown of a worker, in two steps, so that no request in progress is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


class Draining:
    """How far a worker's shutdown has come.

    announced: the server is shutting down. /readyz answers 503; everything else is answered as before.
    closing: this worker is shutting down. Each answer closes its connection, and streams that never end are ended.
    """

    def __init__(self) -> None:
        self.announced = False
        self.closing = False
        self._streams: set[asyncio.Timeout] = set()

    def close(self) -> None:
        """Begin to shut down."""
        self.closing = True
        now = asyncio.get_running_loop().time()
        for stream in self._streams:
            stream.reschedule(now)
        self._streams.clear()

    async def end_streams(self, _: web.Application) -> None:
        """`close`, when the application shuts down in any other way."""
        self.close()

    @asynccontextmanager
    async def until_closing(self) -> AsyncIterator[None]:
        """A context for a stream that ends only with its client. When the worker closes, it raises TimeoutError."""
        async with asyncio.timeout(0.0 if self.closing else None) as stream:
            self._streams.add(stream)
            try:
                yield
            finally:
                self._streams.discard(stream)


def last_answers(draining: Draining) -> Middleware:
    """Middleware that closes each connection with its next answer while the worker shuts down."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if draining.closing and not response.prepared:
            response.force_close()
        return response

    return middleware
