"""Latency of single predictions while another client posts batches of 1,024, beside their latency without batches.

The server has one worker. A separate process posts batches back to back over one connection. The single predictions
use another connection, each as soon as the previous one is answered.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, MutableSequence
from contextlib import closing
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TypeVar

import orjson

from benchmarks import bodies, servers
from benchmarks.load import Connection, LoadError, closed, message
from benchmarks.machine import BUILD, ROOT, machine, save

ITEMS = 1_024
KINDS = ("features", "120 candles")

T = TypeVar("T")


def _post(port: int, item: bytes, begun: Event, stop: Event, reported: MutableSequence[float]) -> None:
    """Post batches until `stop` is set, then report the number of answered batches and the seconds."""
    data = message(bodies.BATCH, b'{"items":[' + b",".join([item] * ITEMS) + b"]}")
    with closing(Connection(port)) as connection:
        connection.ask(data)
        begun.set()
        since = time.perf_counter()
        count = 0
        while not stop.is_set():
            connection.ask(data)
            count += 1
    reported[:] = (count, time.perf_counter() - since)


def under_load(port: int, item: bytes, measure: Callable[[], T]) -> tuple[T, float]:
    """Return the result of `measure` while batches of `item` are posted, and the answered items per second.

    Raises LoadError if no batch is answered.
    """
    context = multiprocessing.get_context("fork")  # the process needs sockets only, and no new imports
    begun, stop, reported = context.Event(), context.Event(), context.Array("d", 2)
    process = context.Process(target=_post, args=(port, item, begun, stop, reported))
    process.start()
    try:
        while not begun.wait(0.1):
            if not process.is_alive():
                raise LoadError(f"no batch of {ITEMS} was answered")
        found = measure()
    finally:
        stop.set()
        process.join()
    count, seconds = reported[:]
    return found, ITEMS * count / seconds


def main() -> None:
    """Measure in turns and print the medians of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default=sys.executable, help="the Python that runs the server")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the checkout whose server is measured")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of single predictions, for each kind and round")
    parser.add_argument("--output", type=Path, default=BUILD / "background_load.json")
    options = parser.parse_args()
    about = machine()
    found = {kind: _Rounds() for kind in KINDS}
    with servers.server(python=options.server, tree=options.tree) as running:
        for _ in range(options.rounds):
            for kind in KINDS:
                found[kind].add(running.port, kind, options.seconds)
    save({"machine": about, "items": ITEMS} | {kind: each.summary() for kind, each in found.items()}, options.output)


class _Rounds:
    """The figures of one kind of request, by round."""

    def __init__(self) -> None:
        self._alone: list[dict[str, float]] = []
        self._loaded: list[dict[str, float]] = []
        self._rates: list[float] = []

    def add(self, port: int, kind: str, seconds: float) -> None:
        singles = bodies.messages(kind)

        def measure() -> dict[str, float]:
            return closed(port, singles, 1, seconds).summary()

        self._alone.append(measure())
        found, rate = under_load(port, orjson.dumps(bodies.asking(kind)[0]), measure)
        self._loaded.append(found)
        self._rates.append(rate)

    def summary(self) -> dict[str, object]:
        """Return the medians of the rounds; percentiles are in milliseconds."""
        both = list(zip(self._loaded, self._alone, strict=True))
        return {
            "alone": _medians(self._alone),
            "loaded": _medians(self._loaded),
            "ratio": {key: statistics.median(b[key] / a[key] for b, a in both) for key in ("p50", "p99")},
            "items_per_second": statistics.median(self._rates),
        }


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}


if __name__ == "__main__":
    main()
