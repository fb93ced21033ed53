"""Without a server: seconds of `signals` over a long history, and the start of `reversal --help`.

The history is the EUR/USD hours of 2017, repeated. The start is compared with that of a Python that imports
onnxruntime, in turns.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import numpy as np

import reversal
from benchmarks import bodies, options
from benchmarks.figures import shortened
from benchmarks.machine import ROOT, machine, save

CANDLES = 50_000
VERSIONS = ("v3.1", "v3.0")


def signals_seconds(version: str) -> float:
    """Return the seconds in which all rows of the history are answered, with a detector that is loaded."""
    candles = bodies.history().candles
    columns = {name: np.resize(getattr(candles, name), CANDLES) for name in ("open", "high", "low", "close", "volume")}
    columns["timestamp"] = (412_000 + np.arange(CANDLES)) * 3_600_000  # hours, from 2017 on
    detector = reversal.load(version, ROOT / "models" / "onnx")
    began = time.perf_counter()
    found = detector.signals(columns)
    took = time.perf_counter() - began
    if len(found["signal"]) != CANDLES:
        raise RuntimeError(f"{len(found['signal'])} rows instead of {CANDLES}")
    return took


def start_seconds(*arguments: str) -> float:
    """Return the seconds of a Python from its start to its end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - fixed commands
    return time.perf_counter() - began


def main() -> None:
    """Measure both, and print the medians."""
    given = options.parser(__doc__, "in_process", rounds=11, seconds=0).parse_args()
    about = machine()
    help_, onnx = ("-m", "reversal", "--help"), ("-c", "import onnxruntime")
    for each in (help_, onnx):  # not counted: it may compile code and read files for the first time
        start_seconds(*each)
    starts = [(start_seconds(*help_), start_seconds(*onnx)) for _ in range(given.rounds)]
    signals = {version: [signals_seconds(version) for _ in range(3)] for version in VERSIONS}
    result = {
        "help": {
            "seconds": shortened(statistics.median(a for a, _ in starts)),
            "onnxruntime_seconds": shortened(statistics.median(b for _, b in starts)),
            "ratio": shortened(statistics.median(a / b for a, b in starts)),
        },
        "signals": {
            version: {"candles": CANDLES, "seconds": shortened(statistics.median(each))}
            for version, each in signals.items()
        },
    }
    save({"machine": about} | result, given.output)


if __name__ == "__main__":
    main()
