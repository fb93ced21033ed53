"""Figures from the result of a load: percentiles, the CPU time of the server, and medians of rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Concatenate, ParamSpec

from benchmarks.load import Result
from benchmarks.servers import Running

P = ParamSpec("P")


def watched(
    running: Running, load: Callable[Concatenate[int, P], Result], *args: P.args, **kwargs: P.kwargs
) -> dict[str, float]:
    """Run a load, and return its summary and the CPU time that it used, warm-up included.

    cpu_us: the CPU time of all server processes for one answer. client_cores: the share of a core that this process
    used. `load` is called with the server's port and then the arguments.
    """
    began, own, before = time.perf_counter(), time.process_time(), running.cpu_seconds
    result = load(running.port, *args, **kwargs)
    used = running.cpu_seconds - before
    client_cores = (time.process_time() - own) / (time.perf_counter() - began)
    return result.summary() | {"cpu_us": 1e6 * used / answers(result), "client_cores": client_cores}


def answers(result: Result) -> float:
    """Return the number of answers, those of the warm-up included, as if it had the same rate."""
    return len(result.times) * (result.seconds + result.warm_up) / result.seconds


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each figure over the rounds, to four digits, and the sums of answers and errors."""
    return {key: _together(key, [figures[key] for figures in rounds]) for key in rounds[0]}


def _together(key: str, values: Sequence[float]) -> float:
    return sum(values) if key in {"answers", "errors"} else shortened(statistics.median(values))


def shortened(value: float) -> float:
    """Round to four significant digits."""
    return float(f"{value:.4g}")
