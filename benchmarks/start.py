"""Time from startup to the first 200 of /readyz, beside starting Python and importing the libraries that it needs."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import options
from benchmarks.figures import shortened
from benchmarks.machine import machine, save
from benchmarks.servers import server

# It exits without cleanup, which is not part of startup.
IMPORTS = "import os, numpy, onnxruntime, aiohttp; os._exit(0)"


def imports(python: str) -> float:
    """Return the seconds from the start of Python until the libraries are imported."""
    began = time.perf_counter()
    subprocess.run([python, "-c", IMPORTS], check=True)  # noqa: S603 - the command is fixed
    return time.perf_counter() - began


def ready(python: str, tree: Path, workers: int | None) -> float:
    """Return the seconds from the start of a server with a new state until it is ready."""
    with server(python=python, tree=tree, workers=workers) as running:
        return running.ready_seconds


def main() -> None:
    """Start each of them in turns, and print the medians of the rounds."""
    given = options.parser(__doc__, "start", rounds=11, seconds=0).parse_args()
    about = machine()
    kinds: dict[str, Callable[[], float]] = {
        "python, numpy, onnxruntime, aiohttp": lambda: imports(given.server),
        "the server, workers as by default": lambda: ready(given.server, given.tree, None),
        "the server, one worker": lambda: ready(given.server, given.tree, 1),
    }
    for start in kinds.values():  # not counted: it may compile code and read files for the first time
        start()
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(given.rounds):
        for name, start in kinds.items():
            seconds[name].append(start())
    floor, *_ = seconds.values()
    result = {
        name: {
            "seconds": shortened(statistics.median(each)),
            "least_seconds": shortened(min(each)),
            "ratio": shortened(statistics.median(a / b for a, b in zip(each, floor, strict=True))),
        }
        for name, each in seconds.items()
    }
    save({"machine": about} | result, given.output)


if __name__ == "__main__":
    main()
