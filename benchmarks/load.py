"""A client with little overhead: prepared requests on keep-alive connections, one process, no HTTP library.

Closed loop: each connection sends the next request as soon as the last one is answered. Open loop: requests are due at
a constant rate. The time of each one counts from when it was due, so that a stall of the server counts for every
request that had to wait. Otherwise a stall would hide itself (Gil Tene calls this "coordinated omission").
"""

from __future__ import annotations

import gc
import re
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)
_RECEIVE = 1 << 18
# Seconds without any answer after which the server is considered hung.
_PATIENCE = 30.0
PERCENTILES = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "p99.9": 99.9}


class LoadError(RuntimeError):
    """The server did not answer, or answered with an error."""


@dataclass
class Result:
    """The result of a load.

    times: the seconds of each good answer, float64 (n,). seconds: the length of the measurement, which follows
    `warm_up` seconds. errors: the number of other answers. late: the largest delay in seconds that the client caused.
    """

    times: NDArray[np.float64]
    seconds: float
    errors: int = 0
    late: float = 0.0
    warm_up: float = 0.0

    def summary(self) -> dict[str, float]:
        """Return answers a second, the numbers of answers and errors, and percentiles in milliseconds."""
        found = {"per_second": len(self.times) / self.seconds, "answers": len(self.times), "errors": self.errors}
        values = np.percentile(self.times, list(PERCENTILES.values())) * 1e3
        return found | {name: float(value) for name, value in zip(PERCENTILES, values, strict=True)}


def message(path: str, body: bytes = b"", *, headers: Sequence[str] = ("Content-Type: application/json",)) -> bytes:
    """Return a request as bytes: POST with a body, GET without."""
    lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", "Host: localhost"]
    if body:
        lines += [*headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """A keep-alive connection with one request at a time."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), timeout=_PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.since = 0.0
        self.ok = True
        self._parts = b""
        self._wanted = -1

    def send(self, data: bytes, since: float) -> None:
        """Send a request; its time counts from `since`."""
        self.since = since
        self.socket.sendall(data)

    def receive(self) -> bool:
        """Read available bytes, and return whether the answer is complete. `ok` is then whether its status is 20x."""
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
                raise LoadError(f"an answer has no Content-Length: {data[:200]!r}")
            self._wanted = end + 4 + int(length[1])
        if len(data) < self._wanted:
            self._parts = data
            return False
        self.ok = data.startswith(b"HTTP/1.1 20")
        self.answer = data
        self._parts, self._wanted = b"", -1
        return True

    def ask(self, data: bytes) -> bytes:
        """Send a request, and return the whole answer. Raises LoadError if it is an error."""
        self.send(data, time.perf_counter())
        while not self.receive():
            pass
        if not self.ok:
            raise LoadError(self.answer.decode(errors="replace"))
        return self.answer

    @property
    def last(self) -> bool:
        """Whether the answer has `Connection: close`."""
        return _CLOSE.search(self.answer, 0, self.answer.find(b"\r\n\r\n") + 2) is not None

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


Connect: TypeAlias = Callable[[int], Connection]


@contextmanager
def _connected(port: int, count: int, connect: Connect) -> Iterator[tuple[dict[int, Connection], select.epoll]]:
    connections = [connect(port) for _ in range(count)]
    poll = select.epoll()
    for connection in connections:
        poll.register(connection.socket.fileno(), select.EPOLLIN)
    gc.collect()
    gc.disable()  # a garbage collection would look like a stall of the server
    try:
        yield {c.socket.fileno(): c for c in connections}, poll
    finally:
        gc.enable()
        poll.close()
        for connection in connections:
            connection.close()


def closed(  # noqa: PLR0913 - the parameters of a load
    port: int,
    messages: Sequence[bytes],
    connections: int,
    seconds: float,
    warm_up: float = 0.3,
    *,
    connect: Connect = Connection,
) -> Result:
    """Send messages in turns in a closed loop. Raises LoadError if an answer is missing.

    Requests that are sent during the warm-up are not counted. connect: opens a connection to a port.
    """
    clock = time.perf_counter
    times: list[float] = []
    errors = sent = 0
    with _connected(port, connections, connect) as (by_descriptor, poll):
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
        raise LoadError(f"no request was answered within {seconds:g} s")
    return Result(np.array(times), seconds, errors, warm_up=warm_up)


def opened(  # noqa: PLR0913 - the parameters of a load
    port: int, messages: Sequence[bytes], rate: float, connections: int, seconds: float, *, from_sending: bool = False
) -> Result:
    """Send `rate` requests a second in an open loop. Raises LoadError if an answer is missing.

    A request waits if no connection is free. That wait counts, except with `from_sending`, which counts times from when
    a request is sent. The `seconds` of the result end with the last answer.
    """
    clock = time.perf_counter
    times: list[float] = []
    errors = due = 0
    late = 0.0
    total = int(rate * seconds)
    with _connected(port, connections, Connection) as (by_descriptor, poll):
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
            # epoll waits whole milliseconds; select on the descriptor of the epoll waits microseconds.
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
