"""The heads of requests that the fast path answers, and those of them that aiohttp's parser has read before."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import HttpVersion11, StreamReader
from aiohttp.http_parser import RawRequestMessage

from server.http.bodies.body import JSON
from server.worker.fast_path.inference import CONTENT_TYPES, Target, target_of
from server.worker.handlers.predict import SHAPES

_JSON_ONLY = (JSON,)
_END = b"\r\n\r\n"
# Half a megabyte of known heads, beside what the parser has made of them. That grows with their headers, and clients
# without a token can send heads too.
_MOST, _MOST_BYTES, _MOST_HEADERS = 512, 1024, 32


class RequestHead(NamedTuple):
    """The head of a request. target: if it is one of the Open Inference Protocol."""

    message: RawRequestMessage
    target: Target | None


def ordinary(message: RawRequestMessage) -> RequestHead | None:
    """What the fast path needs of a head; None if aiohttp must answer the request."""
    headers, path = message.headers, message.path
    target = None if path in SHAPES else target_of(path)
    if (
        (target is None and path not in SHAPES)
        or message.method != "POST"
        or message.version != HttpVersion11
        or message.should_close
        or message.upgrade
        or headers.get("Content-Type", JSON) not in (_JSON_ONLY if target is None else CONTENT_TYPES)
        or "Content-Encoding" in headers
        or "Expect" in headers
        or "Origin" in headers
    ):
        return None
    return RequestHead(message, target)


class KnownHeads:
    """Heads by their bytes, each with the length of its body. All connections of a worker share them."""

    def __init__(self) -> None:
        self.by_bytes: dict[bytes, tuple[RequestHead, int]] = {}

    def add(self, data: bytes, head: RequestHead, length: int) -> None:
        """Remember a head."""
        if len(self.by_bytes) >= _MOST:  # ids of requests can make each head different
            del self.by_bytes[next(iter(self.by_bytes))]  # one, because to free all takes long
        self.by_bytes[data] = head, length


_KNOWN = KnownHeads()


class HeadReader:
    """The heads on one connection. Clients repeat theirs, so that few need to be parsed.

    Between two requests the parser has no state, so it would find the same in the same bytes. Only requests that arrive
    whole and alone are known: nothing but the head and as many bytes as Content-Length says. Once something else has
    arrived, it is not known any more whether the parser is between two requests.
    """

    __slots__ = ("_between", "_head", "_known", "_length")

    def __init__(self, known: KnownHeads = _KNOWN) -> None:
        self._known = known
        self._between = True  # whether the parser is between two requests; false also if that is not known
        # Of what is being parsed: the head, if the request is ordinary, and the length of the body, if it is complete.
        self._head: RequestHead | None = None
        self._length: int | None = None

    def find(self, data: bytes) -> tuple[RequestHead, bytes] | None:
        """The head and the body of a request with a known head; None if the parser must read these bytes."""
        if not self._between:
            return None
        end = data.find(_END) + len(_END)
        known = self._known.by_bytes.get(data[:end])
        if known is None or known[1] != len(data) - end:
            return None
        return known[0], data[end:]

    def read(self, message: RawRequestMessage, body: StreamReader) -> RequestHead | None:
        """The head of a request that is parsed and complete; None if aiohttp must answer it."""
        if not body.is_eof():
            return None
        if not (message.compression or message.should_close or message.upgrade):
            self._length = body.total_bytes
        self._head = ordinary(message)
        return self._head

    def end(self, data: bytes) -> None:
        """Note that these bytes are parsed, and remember the head in them if they are one request and nothing else.

        Chunks are more than the head and the length of the body, so they count as something else.
        """
        head, length = self._head, self._length
        self._head = self._length = None
        end = data.find(_END) + len(_END)
        self._between = self._between and length is not None and end + length == len(data)
        if not self._between or head is None or length is None:
            return
        if end <= _MOST_BYTES and len(head.message.headers) <= _MOST_HEADERS:
            self._known.add(data[:end], head, length)
