"""aiohttp's parser, shared between aiohttp and a connection that answers some requests itself."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import StreamReader
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawRequestMessage


class Taking(Protocol):
    """A connection that answers some requests itself. `received`: the number of requests that have arrived."""

    received: int

    def take(self, message: RawRequestMessage, body: StreamReader) -> bool:
        """Begin to answer a request. Returns false if aiohttp must answer it."""

    def broken(self, error: BaseException) -> None:
        """Note that the parser has failed."""


class SharedParser:
    """aiohttp's parser of one connection, without the requests that the connection answers itself."""

    def __init__(self, parser: Any, connection: Taking) -> None:  # noqa: ANN401
        self._usual = parser
        self._connection = connection
        self._failed = False

    def feed_data(self, data: bytes) -> Any:  # noqa: ANN401 - as aiohttp has it
        """Parse bytes. Returns the requests that begin in them, whether an upgrade follows, and the bytes after it."""
        if self._failed:
            # The answer to the failure ends the connection. aiohttp would quote each further quarter of a megabyte in
            # an error of its own, for up to 8 MiB in one turn of the event loop.
            return (), False, b""
        try:
            found = self._usual.feed_data(data)
        except HttpProcessingError as error:
            self._failed = True
            self._connection.broken(error)
            self._connection.received += 1  # aiohttp answers the failure as a request
            raise
        if requests := found[0]:
            self._connection.received += len(requests)
            if len(requests) == 1 and self._connection.take(*requests[0]):
                self._usual.message_consumed()
                return (), *found[1:]
        return found

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._usual, name)
