"""A client that costs little: prepared requests over kept connections, one process, no library on the way.

Closed loop: each connection asks again as soon as it is answered. Open loop: requests are due at a constant rate,
answered or not, and each one's time counts from when it was due, so that a stall of the server is seen by all that
it kept waiting (Gil Tene's "coordinated omission" is what hides it otherwise).
"""

from __future__ import annotations

import gc
import re
import select
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)
_RECEIVE = 1 << 18
# Without an answer for so long the server hangs.
_PATIENCE = 30.0
PERCENTILES = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "p99.9": 99.9}


class LoadError(RuntimeError):
    """The server answered something else, or nothing."""


@dataclass
class Result:
    """`times`: seconds of each good answer, float64 (n,), over `seconds` that followed `warm_up`.

    errors: answers that were not good. late: the greatest delay of the client itself.
    """

    times: NDArray[np.float64]
    seconds: float
    errors: int = 0
    late: float = 0.0
    warm_up: float = 0.0

    def summary(self) -> dict[str, float]:
        """Answers a second, and percentiles in milliseconds."""
        found = {"per_second": len(self.times) / self.seconds, "answers": len(self.times), "errors": self.errors}
        values = np.percentile(self.times, list(PERCENTILES.values())) * 1e3
        return found | {name: float(value) for name, value in zip(PERCENTILES, values, strict=True)}


def message(path: str, body: bytes = b"", *, headers: Sequence[str] = ("Content-Type: application/json",)) -> bytes:
    """A request as bytes: POST with a body, else GET."""
    lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", "Host: localhost"]
    if body:
        lines += [*headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """A kept connection that is asked one thing at a time."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), timeout=_PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.since = 0.0
        self.ok = True
        self._parts = b""
        self._wanted = -1

    def send(self, data: bytes, since: float) -> None:
        """Ask; `since` is when the request's time begins."""
        self.since = since
        self.socket.sendall(data)

    def receive(self) -> bool:
        """Read what has come; whether that ends the answer, which then is `ok` (200, 201) or not."""
        data = self.socket.recv(_RECEIVE)
        if not data:
            raise LoadError("the server closed a connection")
        if self._wanted >= 0 or self._parts:
            data = self._parts + data
        if self._wanted < 0:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._parts = data
                return False
            length = _LENGTH.search(data, 0, end + 2)
            if length is None:
                raise LoadError(f"an answer without its length: {data[:200]!r}")
            self._wanted = end + 4 + int(length[1])
        if len(data) < self._wanted:
            self._parts = data
            return False
        self.ok = data.startswith(b"HTTP/1.1 20")
        self.answer = data
        self._parts, self._wanted = b"", -1
        return True

    def ask(self, data: bytes) -> bytes:
        """Ask, and wait for the whole answer, which must be a good one."""
        self.send(data, time.perf_counter())
        while not self.receive():
            pass
        if not self.ok:
            raise LoadError(self.answer.decode(errors="replace"))
        return self.answer

    @property
    def last(self) -> bool:
        """Whether the server said that this answer is the connection's last."""
        return _CLOSE.search(self.answer, 0, self.answer.find(b"\r\n\r\n") + 2) is not None

    def close(self) -> None:
        """Close it."""
        self.socket.close()


@contextmanager
def _connected(port: int, count: int) -> Iterator[tuple[dict[int, Connection], select.epoll]]:
    connections = [Connection(port) for _ in range(count)]
    poll = select.epoll()
    for connection in connections:
        poll.register(connection.socket.fileno(), select.EPOLLIN)
    gc.collect()
    gc.disable()  # a collection would look like a stall of the server
    try:
        yield {c.socket.fileno(): c for c in connections}, poll
    finally:
        gc.enable()
        poll.close()
        for connection in connections:
            connection.close()


def closed(port: int, messages: Sequence[bytes], connections: int, seconds: float, warm_up: float = 0.3) -> Result:
    """Ask over so many connections at once, messages in turns. Raises LoadError where an answer fails to come.

    What is sent during the warm-up is not counted.
    """
    clock = time.perf_counter
    times: list[float] = []
    errors = sent = 0
    with _connected(port, connections) as (by_descriptor, poll):
        begin = clock() + warm_up
        end = begin + seconds
        for connection in by_descriptor.values():
            connection.send(messages[sent % len(messages)], clock())
            sent += 1
        waiting = connections
        while waiting:
            ready = poll.poll(_PATIENCE)
            if not ready:
                raise LoadError(f"no answer for {_PATIENCE:g} s")
            for descriptor, _ in ready:
                connection = by_descriptor[descriptor]
                if not connection.receive():
                    continue
                now = clock()
                if connection.since >= begin:
                    if connection.ok:
                        times.append(now - connection.since)
                    else:
                        errors += 1
                if now < end:
                    connection.send(messages[sent % len(messages)], now)
                    sent += 1
                else:
                    waiting -= 1
    if not times:
        raise LoadError(f"no request of these {seconds:g} s was answered")
    return Result(np.array(times), seconds, errors, warm_up=warm_up)


def opened(  # noqa: PLR0913 - what a load is made of
    port: int, messages: Sequence[bytes], rate: float, connections: int, seconds: float, *, from_sending: bool = False
) -> Result:
    """Ask `rate` times a second for so long, whatever the answers do. Raises LoadError where an answer fails to come.

    A request for which no connection is free waits for one, and its time runs, unless it counts from when it was sent.
    The result's `seconds` end with the last answer.
    """
    clock = time.perf_counter
    times: list[float] = []
    errors = due = 0
    late = 0.0
    total = int(rate * seconds)
    with _connected(port, connections) as (by_descriptor, poll):
        free = deque(by_descriptor.values())
        queue = [poll.fileno()]
        begin = clock() + 0.01
        while len(times) + errors < total:
            now = clock()
            while free and due < total and begin + due / rate <= now:
                since = begin + due / rate
                late = max(late, now - since) if len(free) > 1 else late
                free.popleft().send(messages[due % len(messages)], now if from_sending else since)
                due += 1
                now = clock()
            wait = begin + due / rate - now if free and due < total else _PATIENCE
            # epoll waits whole milliseconds; select on its descriptor waits microseconds.
            if wait > 0 and not select.select(queue, (), (), wait)[0]:
                if wait == _PATIENCE:
                    raise LoadError(f"no answer for {_PATIENCE:g} s")
                continue
            for descriptor, _ in poll.poll(0):
                connection = by_descriptor[descriptor]
                if connection.receive():
                    if connection.ok:
                        times.append(clock() - connection.since)
                    else:
                        errors += 1
                    free.append(connection)
    return Result(np.array(times), clock() - begin, errors, late)
