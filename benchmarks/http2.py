"""A gRPC client with as little overhead as that of `load`: prepared messages, no library.

It speaks as much HTTP/2 (RFC 9113) as one call at a time needs. A library's client would use more CPU time than the
server, and its own time would hide the server's.
"""

from __future__ import annotations

import struct
import time
from typing import NamedTuple

from benchmarks.load import Connection, LoadError

METHOD = "/inference.GRPCInferenceService/ModelInfer"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_ACK = _END_STREAM = 0x1
_END_HEADERS = 0x4
_HEAD = 9
_RECEIVE = 1 << 18
_LARGEST_FRAME = 1 << 14
# The bytes that a peer may send before it is told that they have been read, and how many this client allows.
_FIRST_WINDOW, _WINDOW = 65_535, (1 << 31) - 1
# HPACK: POST and http have an index in the static table. The four other fields get one with the first request of a
# connection, the last of them 62.
_COMMON = b"\x83\x86"
_AGAIN = _COMMON + bytes(0x80 | index for index in (65, 64, 63, 62))


class Frame(NamedTuple):
    """A frame of HTTP/2."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def framed(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return a frame as bytes."""
    return struct.pack(">BHBBI", len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


def taken(data: bytes) -> tuple[list[Frame], bytes]:
    """Return the whole frames at the beginning of some bytes, and the rest."""
    found, at = [], 0
    while len(data) - at >= _HEAD:
        high, low, kind, flags, stream = struct.unpack_from(">BHBBI", data, at)
        end = at + _HEAD + (high << 16 | low)
        if end > len(data):
            break
        found.append(Frame(kind, flags, stream & 0x7FFFFFFF, data[at + _HEAD : end]))
        at = end
    return found, data[at:]


def message(request: bytes) -> bytes:
    """Return an encoded request as a message of gRPC: not compressed, with its length."""
    return struct.pack(">BI", 0, len(request)) + request


class GrpcConnection(Connection):
    """A connection with one call at a time. What it sends are results of `message`, and so is the `answer`."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        """Connect, and wait for the server's settings. Raises LoadError if it is no server of HTTP/2."""
        super().__init__(port, host)
        self._stream = -1
        self._left = b""
        self._window = _FIRST_WINDOW
        self._fields = _COMMON + b"".join(
            b"\x40" + bytes([len(name)]) + name + bytes([len(value)]) + value
            for name, value in (
                (b":path", METHOD.encode()),
                (b":authority", b"localhost"),
                (b"te", b"trailers"),
                (b"content-type", b"application/grpc"),
            )
        )
        widen = framed(_WINDOW_UPDATE, 0, 0, struct.pack(">I", _WINDOW - _FIRST_WINDOW))
        self.socket.sendall(_PREFACE + framed(_SETTINGS, 0, 0, b"") + widen)
        self._is_known = False
        while not self._is_known:
            self._read()

    def send(self, data: bytes, since: float) -> None:
        """Send a message as a call; its time counts from `since`."""
        self.since = since
        self._stream += 2
        self.ok, self.answer, self._ended = False, b"", False
        while self._window < len(data):
            self._read()
        self._window -= len(data)
        head = framed(_HEADERS, _END_HEADERS, self._stream, self._fields)
        *first, last = [data[i : i + _LARGEST_FRAME] for i in range(0, len(data), _LARGEST_FRAME)]
        body = b"".join(framed(_DATA, 0, self._stream, part) for part in first)
        self.socket.sendall(head + body + framed(_DATA, _END_STREAM, self._stream, last))
        self._fields = _AGAIN

    def receive(self) -> bool:
        """Read available bytes, and return whether the call has ended by them. It is `ok` if there is a message."""
        before = self._ended  # frames about the connection can follow
        self._read()
        return self._ended and not before

    def ask(self, data: bytes) -> bytes:
        """Send a message, and return the answer's. Raises LoadError if there is none."""
        self.send(data, time.perf_counter())
        while not self.receive():
            pass
        if not self.ok:
            raise LoadError("the call ended without a message")
        return self.answer

    def _read(self) -> None:
        data = self.socket.recv(_RECEIVE)
        if not data:
            raise LoadError("the server closed a connection")
        frames, self._left = taken(self._left + data)
        for frame in frames:
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        if frame.kind == _WINDOW_UPDATE and frame.stream == 0:
            self._window += int.from_bytes(frame.payload, "big")
        elif frame.kind == _SETTINGS and not frame.flags & _ACK:
            self.socket.sendall(framed(_SETTINGS, _ACK, 0, b""))
            self._is_known = True
        elif frame.kind == _PING and not frame.flags & _ACK:
            self.socket.sendall(framed(_PING, _ACK, 0, frame.payload))
        elif frame.kind == _GOAWAY:
            raise LoadError(f"the server ended the connection: {frame.payload[8:].decode(errors='replace')}")
        elif frame.stream == self._stream:
            if frame.kind == _DATA:
                self.answer += frame.payload
                self.ok = True
            if frame.kind == _RESET:
                self.ok = False
            self._ended = (
                self._ended
                or frame.kind == _RESET
                or bool(frame.kind in {_DATA, _HEADERS} and frame.flags & _END_STREAM)
            )
