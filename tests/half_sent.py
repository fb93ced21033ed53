"""A client of gRPC whose messages do not end: it sends as much of them as the server allows, but not the last byte."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from benchmarks.http2 import framed, taken

DATA, HEADERS, RESET, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
ACK = END_STREAM = 0x1
END_HEADERS = 0x4
FIRST_WINDOW = 65_535
WINDOW_SETTING = 4
PIECE = 1 << 14
SECONDS = 20
EMPTY = struct.pack(">BI", 0, 0)  # a whole message without bytes


class HalfSent:
    """A connection with calls of one method, each with the same unfinished message.

    `sent`: bytes of the messages. `ended`: the calls that the server has ended.
    """

    def __init__(self, port: int, path: str, calls: int, size: int, before: bytes = b"") -> None:
        """`size`: of each message, as its head says. `before`: whole messages in front of it."""
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._window = self._first = FIRST_WINDOW
        self._left = b""
        self._acknowledged = False
        self._size = size
        self.sent = 0
        self.ended = 0
        self._socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + framed(SETTINGS, 0, 0, b""))
        fields = {":path": path, ":authority": "localhost", "te": "trailers", "content-type": "application/grpc"}
        # POST and http have an index in HPACK's table.
        packed = b"\x83\x86" + b"".join(b"\x00" + text(name) + text(value) for name, value in fields.items())
        head = before + struct.pack(">BI", 0, size)
        # What each call may still send beyond the first window, and what it has to send.
        self._more = {1 + 2 * i: -len(head) for i in range(calls)}
        self._rest = dict.fromkeys(self._more, size - 1)
        for stream in self._more:
            self._socket.sendall(framed(HEADERS, END_HEADERS, stream, packed) + framed(DATA, 0, stream, head))
            self._window -= len(head)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, most: int) -> None:
        """Send what the server allows, at most so many bytes, and take in what it has answered by then."""
        for stream in [*self._rest]:
            while size := self._allowed(stream, most):
                self._socket.sendall(framed(DATA, 0, stream, bytes(size)))
                self._window -= size
                self._more[stream] -= size
                self._rest[stream] -= size
                self.sent += size
                most -= size
        # It acknowledges settings, as it would a ping; but it ends connections with many pings.
        self._socket.sendall(framed(SETTINGS, 0, 0, b""))
        self._acknowledged = False
        while not self._acknowledged:
            self._read()

    def _allowed(self, stream: int, most: int) -> int:
        return max(0, min(PIECE, most, self._rest[stream], self._window, self._more[stream] + self._first))

    def _read(self) -> None:
        data = self._socket.recv(1 << 18)
        assert data, "the server closed the connection"
        frames, self._left = taken(self._left + data)
        for kind, flags, stream, payload in frames:
            if kind == WINDOW_UPDATE and stream == 0:
                self._window += int.from_bytes(payload, "big")
            elif kind == WINDOW_UPDATE and stream in self._more:
                self._more[stream] += int.from_bytes(payload, "big")
            elif kind == SETTINGS and not flags & ACK:
                for at in range(0, len(payload), 6):
                    setting, value = struct.unpack_from(">HI", payload, at)
                    self._first = value if setting == WINDOW_SETTING else self._first
                self._socket.sendall(framed(SETTINGS, ACK, 0, b""))
            elif kind == SETTINGS:
                self._acknowledged = True
            elif kind == PING and not flags & ACK:
                self._socket.sendall(framed(PING, ACK, 0, payload))
            elif kind == RESET or (kind == HEADERS and flags & END_STREAM):
                self.ended += self._rest.pop(stream, None) is not None


def text(value: str) -> bytes:
    """A text in HPACK's form."""
    return bytes([len(value)]) + value.encode()


def rounds(connections: Sequence[HalfSent], number: int, most: int) -> int:
    """Let each send several times, until so many bytes are sent by all. Returns their number."""
    for _ in range(number):
        for each in connections:
            each.send(max(0, most - sum(other.sent for other in connections)))
    return sum(each.sent for each in connections)
