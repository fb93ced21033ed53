"""Seconds of an explanation, and latency of single predictions beside explanations.

`seconds` are of core.inference.explaining.explain in this process, on one core, for both stages of v3.1, with one and
with all stored reference windows. The latency is that of a server with one worker: single predictions use one
connection, each as soon as the previous one is answered; explanations use another one, without a pause. Without and
with explanations are measured in turns.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

import orjson

from benchmarks import bodies, servers
from benchmarks.load import Connection, LoadError, closed, message
from benchmarks.machine import ROOT, machine, save
from benchmarks.options import parser
from core.bundles.repository import Repository
from core.inference.detector import Detector
from core.inference.explaining import explain
from server.api import decoding

VERSION, PATH = "v3.1", "/reversal/explain"
KINDS = ("features", "120 candles")
EXAMPLE = ROOT / "docs" / "examples" / "predict.json"
# Of the explanations with one reference window.
_REPEATS = 9
T = TypeVar("T")


@contextmanager
def on_one_core() -> Iterator[None]:
    """Run this process on its last CPU only."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(own)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def seconds() -> dict[str, dict[str, float]]:
    """Return the median seconds of an explanation, by the number of reference windows."""
    detector = Detector(Repository(ROOT / "models" / "onnx").read(VERSION))
    source = decoding.prediction(EXAMPLE.read_bytes(), 0.0).source
    found = {}
    for background, repeats in ((1, _REPEATS), (detector.runners[0].stored.shape[0], 1)):
        took = []
        for _ in range(repeats):
            began = time.perf_counter()
            explain(detector, source, background)
            took.append(time.perf_counter() - began)
        found[str(background)] = {"seconds": statistics.median(took), "explanations": repeats}
    return found


def beside(port: int, measure: Callable[[], T]) -> tuple[T, int]:
    """Return the result of `measure` while explanations are asked for, and their number. Raises LoadError for none."""
    body = orjson.dumps(orjson.loads(EXAMPLE.read_bytes()) | {"version": VERSION})
    stop, asked = threading.Event(), [0]

    def ask() -> None:
        with closing(Connection(port)) as connection:
            while not stop.is_set():
                connection.ask(message(PATH, body))
                asked[0] += 1

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        found = measure()
    finally:
        stop.set()
        asking.join()
    if not asked[0]:
        raise LoadError("no explanation was answered during the measurement")
    return found, asked[0]


def main() -> None:
    """Measure, and print the medians of the rounds."""
    options = parser(__doc__, "explaining", rounds=5, seconds=4.0).parse_args()
    about = machine()
    with on_one_core():
        alone = seconds()
    rounds: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with servers.server(python=options.server, tree=options.tree) as running:
        for _ in range(options.rounds):
            for kind in KINDS:
                rounds[kind].append(_round(running.port, kind, options.seconds))
    medians = {
        kind: {key: statistics.median(each[key] for each in found) for key in found[0]}
        for kind, found in rounds.items()
    }
    save({"machine": about, "seconds": alone, "beside": medians}, options.output)


def _round(port: int, kind: str, length: float) -> dict[str, float]:
    singles = bodies.messages(kind)
    without = closed(port, singles, 1, length).summary()
    loaded, count = beside(port, lambda: closed(port, singles, 1, length).summary())
    ratios = {f"ratio_{key}": loaded[key] / without[key] for key in ("p50", "p99")}
    times = {
        f"{name}_{key}": each[key] for name, each in (("alone", without), ("beside", loaded)) for key in ("p50", "p99")
    }
    return times | ratios | {"explanations_per_second": count / length}


if __name__ == "__main__":
    main()
