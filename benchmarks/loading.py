"""Latency of single predictions while a version is loaded, beside their latency without loads.

The server has one worker, and single predictions use one connection. v3.1 is unloaded and loaded from its files over
another connection: once a second, and without a pause, so that nearly every prediction meets a load.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from benchmarks import bodies, servers
from benchmarks.load import LoadError, closed
from benchmarks.machine import machine, save
from benchmarks.options import parser

LOADED = "v3.1"
# Seconds between loads.
PACES = {"each_second": 1.0, "without_pause": 0.0}
T = TypeVar("T")


def _load(port: int, pause: float, stop: threading.Event, took: list[float]) -> None:
    while not stop.wait(pause):
        servers.manage(port, f"/reversal/models/{LOADED}/unload")
        began = time.perf_counter()
        servers.manage(port, f"/reversal/models/{LOADED}/load")
        took.append((time.perf_counter() - began) * 1e3)


def while_loading(port: int, pause: float, measure: Callable[[], T]) -> tuple[T, list[float]]:
    """Return the result of `measure` while a version is unloaded and loaded, and the milliseconds of each load.

    `pause`: seconds between loads. Another version must be active. Raises LoadError if no load took place.
    """
    stop, took = threading.Event(), list[float]()
    loading = threading.Thread(target=_load, args=(port, pause, stop, took))
    loading.start()
    try:
        found = measure()
    finally:
        stop.set()
        loading.join()
    if not took:
        raise LoadError(f"{LOADED} was never loaded during the measurement")
    return found, took


def _beside(port: int, messages: list[bytes], seconds: float, pause: float) -> dict[str, float]:
    found, took = while_loading(port, pause, lambda: closed(port, messages, 1, seconds).summary())
    return {"p50": found["p50"], "p99": found["p99"], "load_ms": statistics.median(took), "loads": len(took) / seconds}


def main() -> None:
    """Measure, and print the medians of the rounds."""
    options = parser(__doc__, "loading", rounds=5, seconds=4.0).parse_args()
    about, messages = machine(), bodies.messages("features")
    rounds = []
    with servers.server(python=options.server, tree=options.tree) as running:
        servers.manage(running.port, "/reversal/models/v3.0/switch")  # the active one cannot be unloaded
        for _ in range(options.rounds):
            alone = closed(running.port, messages, 1, options.seconds).summary()
            found = {"alone_p50": alone["p50"], "alone_p99": alone["p99"]}
            for name, pause in PACES.items():
                beside = _beside(running.port, messages, options.seconds, pause)
                found |= {f"{name}_{what}": value for what, value in beside.items()}
                found[f"{name}_ratio_p99"] = beside["p99"] / alone["p99"]
            rounds.append(found)
    save(
        {"machine": about, **{key: statistics.median(each[key] for each in rounds) for key in rounds[0]}},
        options.output,
    )


if __name__ == "__main__":
    main()
