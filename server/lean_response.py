"""An answer that is written as it is, for the requests of which there are thousands a second."""

from __future__ import annotations

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web_request import BaseRequest

from server.clock import Moment

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_REST = b"Content-Length: %d\r\nDate: %b\r\nServer-Timing: %b\r\n\r\n%b"


class LeanResponse(web.StreamResponse):
    """JSON with status 200, over a connection that is kept.

    aiohttp makes a table of headers for each answer, completes it, looks into it and writes it down, for a head
    in which three values differ. on_response_prepare is not sent.
    """

    def __init__(self, request: web.Request, body: bytes, now: Moment, timing: str) -> None:
        super().__init__()
        self._text = _HEAD + _REST % (len(body), now.http.encode(), timing.encode(), body)
        self._request = request

    @property
    def keep_alive(self) -> bool:
        """It is: others get another response."""
        return True

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:  # noqa: ARG002 - as aiohttp calls it
        """Nothing is left to prepare."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 - as aiohttp calls it
        """Write all of it. Raises ConnectionError where the client has gone."""
        request = self._request
        if request.transport is None:
            raise ConnectionResetError("the client has gone")
        request.transport.write(self._text)
        await request.writer.drain()  # a client that asks and asks and reads nothing must wait


def respond(request: web.Request, body: bytes, now: Moment, timing: str) -> web.StreamResponse:
    """An answer with status 200 and the header Server-Timing; aiohttp's own for a client that will not come back."""
    if request.version == HttpVersion11 and request.keep_alive:
        return LeanResponse(request, body, now, timing)
    headers = {"Content-Type": "application/json", "Server-Timing": timing}
    return web.Response(body=body, headers=headers)
