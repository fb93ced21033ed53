"""Connections without the fast path."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.web_request import BaseRequest

from server.http.connections.connection import HttpConnection


class PlainConnection(HttpConnection):
    """Leaves all requests to aiohttp. Each is counted when its turn comes; later ones wait in aiohttp's queue."""

    __slots__ = ("_failed", "_held")

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*args, **options)
        self._failed = False
        self._held = b""  # bytes received behind a request that is complete and not answered yet

    @property
    def in_progress(self) -> bool:
        """Whether a request is being answered, or waits for the one before it."""
        return self.received != self.answered or bool(self._held)

    def begin(self, body: StreamReader) -> None:
        """Count a request, whose turn has come."""
        self.received += 1
        self._head_ends()
        super().begin(body)

    def data_received(self, data: bytes) -> None:
        """Parse bytes. Those behind a complete request are held until it is answered.

        aiohttp would parse them at once. If they are not HTTP, it would keep an error for each piece, with the piece.
        """
        if self._failed:  # the answer to the failure ends the connection
            return
        if data and self.in_progress and self._body is not None and self._body.is_eof():
            self._held += data
            if self.transport is not None:
                self.transport.pause_reading()
            return
        if self.is_idle and data.strip(b"\r\n"):  # these bytes can complete a request whose turn comes later
            self.idle_since = asyncio.get_running_loop().time()
        super().data_received(data)
        self._head_begins(data)

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer, and continue with the bytes that were held behind the request."""
        answered = await super().finish_response(request, resp, start_time)
        if self._held:  # only a later turn of the event loop shows whether aiohttp has another request in its queue
            asyncio.get_running_loop().call_soon(self._read_on)
        return answered

    def _read_on(self) -> None:
        if self.received != self.answered or self.transport is None:
            return
        held, self._held = self._held, b""
        self.transport.resume_reading()
        self.data_received(held)

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to bytes that are not HTTP, which ends the connection."""
        self._failed = True
        return super().handle_error(request, status, exc, message)
