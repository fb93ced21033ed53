from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from benchmarks.http2 import Frame, GrpcConnection, framed, message, taken
from benchmarks.load import LoadError, closed

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ENDS = 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
Seen = list[Frame]
# What the server sends when a call is complete: the number of its stream, and the call's message.
Answer = Callable[[int, bytes], bytes]


def echoed(stream: int, body: bytes) -> bytes:
    """A good answer: a head, the message, and the trailers."""
    return framed(HEADERS, 4, stream, b"\x88") + framed(DATA, 0, stream, body) + framed(HEADERS, 5, stream, b"\x88")


@contextmanager
def listening(answer: Answer, before: bytes = b"", window: bytes = b"") -> Iterator[tuple[int, Seen]]:
    """Run a server in a thread; yields its port and the frames that it has got.

    before: sent with the settings. window: sent after the first 65,535 bytes of bodies.
    """
    seen: Seen = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, seen, answer, before, window))
        thread.start()
        yield listener.getsockname()[1], seen
        thread.join(10)
        assert not thread.is_alive()


def _serve(listener: socket.socket, seen: Seen, answer: Answer, before: bytes, window: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        data = connection.recv(100_000)
        while len(data) < len(PREFACE):
            data += connection.recv(100_000)
        assert data.startswith(PREFACE)
        left = data[len(PREFACE) :]
        connection.sendall(framed(SETTINGS, 0, 0, b"") + before)
        bodies: dict[int, bytes] = {}
        while True:
            frames, left = taken(left)
            seen += frames
            for frame in frames:
                if frame.kind == DATA:
                    bodies[frame.stream] = bodies.get(frame.stream, b"") + frame.payload
                    if frame.flags & ENDS:
                        connection.sendall(answer(frame.stream, bodies[frame.stream]) + window)
            data = connection.recv(100_000)
            if not data:
                return
            left += data


def test_frames_are_read_as_they_were_written() -> None:
    written = [Frame(DATA, 1, 3, b"abc"), Frame(HEADERS, 4, 5, b""), Frame(DATA, 0, 7, bytes(70_000))]
    data = b"".join(framed(*frame) for frame in written)
    assert taken(data) == (written, b"")
    for size in (0, 8, 9, 11, 12, 20, 21, len(data) - 1):
        frames, left = taken(data[:size])
        assert frames == written[: len(frames)]
        assert b"".join(framed(*frame) for frame in frames) + left == data[:size]


def test_calls_have_streams_of_their_own_and_name_their_fields_once() -> None:
    with listening(echoed) as (port, seen), closing(GrpcConnection(port)) as connection:
        for text in (b"one", b"two", b""):
            assert connection.ask(message(text)) == message(text)
    heads = [frame for frame in seen if frame.kind == HEADERS]
    assert [head.stream for head in heads] == [1, 3, 5]
    assert b"/inference.GRPCInferenceService/ModelInfer" in heads[0].payload
    assert heads[1].payload == heads[2].payload == bytes([0x83, 0x86, 0xC1, 0xC0, 0xBF, 0xBE])


def test_a_large_message_has_several_frames_and_waits_for_its_window() -> None:
    window = framed(WINDOW_UPDATE, 0, 0, struct.pack(">I", 60_000))
    large = message(bytes(60_000))
    with listening(echoed, window=window) as (port, seen), closing(GrpcConnection(port)) as connection:
        assert connection.ask(large) == large
        assert connection.ask(large) == large
    sizes = [len(frame.payload) for frame in seen if frame.kind == DATA]
    assert sizes == [16_384, 16_384, 16_384, 60_005 - 3 * 16_384] * 2


@pytest.mark.parametrize(
    "answer",
    [
        lambda stream, _: framed(HEADERS, 5, stream, b"\x88"),
        lambda stream, _: framed(RESET, 0, stream, bytes(4)),
        lambda stream, body: framed(DATA, 0, stream, body) + framed(RESET, 0, stream, bytes(4)),
    ],
    ids=["trailers only", "reset", "reset after a message"],
)
def test_a_call_without_a_message_is_an_error(answer: Answer) -> None:
    with listening(answer) as (port, _), closing(GrpcConnection(port)) as connection:
        with pytest.raises(LoadError):
            connection.ask(message(b"one"))
        assert not connection.ok


def test_settings_and_pings_are_confirmed() -> None:
    ping = framed(PING, 0, 0, b"12345678")
    with listening(echoed, before=ping) as (port, seen), closing(GrpcConnection(port)) as connection:
        connection.ask(message(b"one"))
    assert Frame(SETTINGS, 1, 0, b"") in seen
    assert Frame(PING, 1, 0, b"12345678") in seen


def test_a_call_ends_once_though_other_frames_follow() -> None:
    with listening(echoed) as (port, _), closing(GrpcConnection(port)) as connection:
        connection.ask(message(b"one"))
        connection.socket.sendall(framed(DATA, ENDS, 99, b""))  # the server answers on that stream
        assert not connection.receive()


def test_the_end_of_the_connection_is_an_error() -> None:
    goaway = framed(GOAWAY, 0, 0, bytes(8) + b"too many pings")
    with (
        listening(lambda *_: goaway) as (port, _),
        closing(GrpcConnection(port)) as connection,
        pytest.raises(LoadError, match="too many pings"),
    ):
        connection.ask(message(b"one"))


def test_it_is_a_connection_of_a_load() -> None:
    with listening(echoed) as (port, _):
        result = closed(port, [message(b"one")], 1, 0.05, 0.0, connect=GrpcConnection)
    assert len(result.times) > 1
    assert result.errors == 0
