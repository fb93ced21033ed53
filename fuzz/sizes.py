"""Measure how long other requests wait, and how much memory grows, while bodies of absurd sizes and shapes are sent.

One body after the other goes to a server with one worker. A second process keeps asking for a small prediction. It goes
on for the same time after each body, to measure the machine without the body. If a prediction waited for more than
50 ms, the body is sent again, up to twice: a wait caused by the body comes again, one caused by the machine hardly.
"""

from __future__ import annotations

import math
import multiprocessing
import re
import select
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks import bodies, servers
from benchmarks.load import Connection, LoadError
from fuzz.shapes import Sent, sent

_MIB = 1 << 20
# No endpoint accepts a larger body.
_LARGEST = 32 * _MIB
# Only batches accept large bodies; other endpoints refuse them by their length, or once too many bytes have arrived.
# Medium bodies are about as large as predictions, comparisons and outcomes can be.
SIZES = {"large": (8 * _MIB, _LARGEST), "medium": (_MIB, 4 * _MIB), "small": (64, _MIB)}
_PATIENCE = 60.0
_SERVER_ERROR = 500
_LONG_SECONDS = 0.05
_TRIES = 3
# The shortest and the longest time of measuring without a body.
_QUIET_SECONDS = (0.003, 0.5)
_PEAK = re.compile(r"VmHWM:\s+(\d+)")


class One(NamedTuple):
    """The effect of one body.

    size: of the body, in bytes. wait: the longest time of a small prediction while the body was answered, in seconds.
    quiet: the same for the time afterwards. seconds: until the answer began. grown: the growth of memory in the process
    that grew most, in bytes.
    """

    seed: str
    kind: str
    path: str
    size: int
    wait: float
    quiet: float
    seconds: float
    grown: int
    status: int

    @property
    def beyond(self) -> int:
        """Growth of memory beyond the size of the body, in bytes."""
        return self.grown - min(self.size, _LARGEST)


class Beside:
    """The second client. It is a process of its own, so that making and sending bodies does not delay it."""

    def __init__(self, port: int) -> None:
        self._pipe, other = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_ask, args=(port, other), daemon=True)
        self._process.start()
        self._pipe.recv()

    @contextmanager
    def asking(self) -> Iterator[list[float]]:
        """Ask during the block. Afterwards the list has the time of each answer, in seconds."""
        found: list[float] = []
        self._pipe.send("begin")
        self._pipe.recv()
        try:
            yield found
        finally:
            self._pipe.send("end")
            found += self._pipe.recv()

    def close(self) -> None:
        """Stop the process."""
        self._process.terminate()
        self._process.join()


def _ask(port: int, pipe: Pipe) -> None:
    message = bodies.messages("features")[0]
    connection = Connection(port)
    connection.ask(message)
    pipe.send("ready")
    while True:
        pipe.recv()
        pipe.send("begun")
        times: list[float] = []
        while not times or not pipe.poll():
            since = time.perf_counter()
            connection.ask(message)
            times.append(time.perf_counter() - since)
        pipe.recv()
        pipe.send(times)


def _peaks(pids: list[int]) -> list[int]:
    """The peak memory of each process since its mark was set, in bytes."""
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return [int(found[1]) * 1024 if (found := _PEAK.search(text)) else 0 for text in texts]


def _set_marks(pids: list[int]) -> None:
    for pid in pids:
        with suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # Linux resets the peak to the present memory


def answered(port: int, message: bytes) -> int:
    """Send a message and return the status of the answer, or 0 if the connection closes without an answer.

    A server can answer and close before it has received the whole message.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as client:
        client.setblocking(False)
        left, received = memoryview(message), b""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            readable, writable, _ = select.select([client], [client] if left else [], [], 1.0)
            try:
                if readable:
                    received += (data := client.recv(1 << 16))
                    if b"\r\n" in received:
                        return int(received[9:12])
                    if not data:
                        return 0
                if writable:
                    left = left[client.send(left[:_MIB]) :]
            except ConnectionError:
                return 0
    raise LoadError(f"no answer for {_PATIENCE:g} s")


def measured(running: servers.Running, beside: Beside, seed: str, it: Sent) -> One:
    """Send one body, then nothing for the same time. Raises LoadError if there is no answer."""
    pids = running.pids
    _set_marks(pids)
    before = _peaks(pids)
    with beside.asking() as waits:
        since = time.perf_counter()
        status = answered(running.port, it.message)
        seconds = time.perf_counter() - since
        time.sleep(0.002)  # for work after the answer
    grown = max(now - then for now, then in zip(_peaks(pids), before, strict=True))
    with beside.asking() as quiet:
        time.sleep(min(max(seconds, _QUIET_SECONDS[0]), _QUIET_SECONDS[1]))
    return One(seed, it.kind, it.path, it.size, max(waits), max(quiet), seconds, grown, status)


def _tried(running: servers.Running, beside: Beside, seed: str, it: Sent) -> list[One]:
    """Send a body, and send it again if it seemed to delay other requests."""
    found = [measured(running, beside, seed, it)]
    while found[-1].wait > _LONG_SECONDS and len(found) < _TRIES:
        found.append(measured(running, beside, seed, it))
    return found


def run(running: servers.Running, seed: int, **counts: int) -> int:
    """Send the given number of bodies of each of SIZES, print the findings, and return the number of 5xx answers."""
    failures = 0
    beside = Beside(running.port)
    try:
        with servers.apart(running):
            for name, count in counts.items():
                least, most = SIZES[name]
                seeds = [f"{seed}-{name}-{i}" for i in range(count)]
                tries = [_tried(running, beside, each, sent(each, least, most)) for each in seeds]
                found = [min(some, key=lambda one: one.wait) for some in tries]
                failures += sum(one.status >= _SERVER_ERROR for some in tries for one in some)
                again = sum(len(some) > 1 for some in tries)
                print(f"\n{again} of {count} {name} bodies were sent again, because the wait was long the first time")
                for title, key in _TABLES.items():
                    _print(f"{name} bodies by {title}", key, found)
    finally:
        beside.close()
    return failures


_TABLES: dict[str, Callable[[One], str]] = {
    "kind": lambda one: one.kind.partition(",")[0],
    "encoding": lambda one: one.kind.partition(", ")[2],
    "endpoint": lambda one: one.path,
    "size": lambda _: "all",
}


def _print(title: str, key: Callable[[One], str], found: Sequence[One]) -> None:
    groups = defaultdict(list)
    for one in found:
        groups[key(one)].append(one)
    usual = median(one.quiet for one in found) if found else math.nan
    print(f"\n{title:42}     n  worst wait   quiet  x quiet  x median  took s  grown MiB  beyond  statuses")
    for name, some in sorted(groups.items(), key=lambda each: -max(one.wait for one in each[1])):
        worst = max(some, key=lambda one: one.wait)
        quiet = max(one.quiet for one in some)
        print(
            f"{name:42} {len(some):5} {worst.wait * 1e3:8.1f} ms {quiet * 1e3:7.1f} {worst.wait / quiet:8.1f}"
            f" {worst.wait / usual:9.1f} {max(one.seconds for one in some):7.2f}"
            f" {max(one.grown for one in some) / _MIB:10.1f} {max(one.beyond for one in some) / _MIB:7.1f}"
            f"  {' '.join(map(str, sorted({one.status for one in some})))}  ({worst.seed})"
        )
    for one in found:
        if one.status >= _SERVER_ERROR and title.endswith("size"):
            print(f"FAILED {one.seed}: {one.status} for {one.kind} to {one.path}")
