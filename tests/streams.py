"""Reads a stream of server-sent events, as a page does."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import aiohttp


class Event(NamedTuple):
    """One event. Its id is empty for one without."""

    number: str
    kind: str
    data: dict[str, Any]


def parsed(text: str) -> Event | None:
    """The event of some lines; None for a comment."""
    fields = dict(line.split(": ", 1) for line in text.splitlines() if not line.startswith(":"))
    return Event(fields.get("id", ""), fields["event"], json.loads(fields["data"])) if fields else None


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[Event]:
    """The events of an answer, until it ends. It can end at once, as if the connection broke."""
    text = b""
    async for chunk in response.content.iter_any():
        *whole, text = (text + chunk).split(b"\n\n")
        for each in whole:
            if (event := parsed(each.decode())) is not None:
                yield event


class Page:
    """A page that is open at a real server."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")
        self.last = ""  # the id of the last event
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass

    @property
    def port(self) -> int:
        """Its own port, by which the worker at the other end is found."""
        port: int = self._connection.getsockname()[1]
        return port

    def events(self) -> Iterator[Event]:
        """The events until the stream ends or breaks."""
        text = b""
        try:
            while size := int(self._file.readline() or b"0", 16):  # of a chunk
                text += self._file.read(size)
                self._file.readline()
                *whole, text = text.split(b"\n\n")
                for each in whole:
                    if (event := parsed(each.decode())) is not None:
                        self.last = event.number or self.last
                        yield event
        except ConnectionError:
            return

    def first(self, kind: str) -> Event:
        """The next event of a kind. Fails if the stream ends before it."""
        return next(event for event in self.events() if event.kind == kind)


@contextmanager
def opened(url: str, last: str = "") -> Iterator[Page]:
    """Open a page at a server. last: the id of the last event that it has seen."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        seen = f"Last-Event-ID: {last}\r\n" if last else ""
        connection.sendall(f"GET /dashboard/stream HTTP/1.1\r\nHost: {host}\r\n{seen}\r\n".encode())
        yield Page(connection)
