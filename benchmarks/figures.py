"""From what a load found to figures: percentiles, what the server used for it, and medians of rounds."""

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
    """A load's summary, and what was used for it, warm-up and all.

    cpu_us: by all processes of the server for each answer. client_cores: by this process, in each second.
    `load` gets the server's port, then the arguments.
    """
    began, own, before = time.perf_counter(), time.process_time(), running.cpu_seconds
    result = load(running.port, *args, **kwargs)
    used = running.cpu_seconds - before
    client_cores = (time.process_time() - own) / (time.perf_counter() - began)
    # Those of the warm-up are answered at the same rate as the others.
    answers = len(result.times) * (result.seconds + result.warm_up) / result.seconds
    return result.summary() | {"cpu_us": 1e6 * used / answers, "client_cores": client_cores}


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each figure's median over the rounds, to four digits; answers and errors are counted together."""
    return {key: _together(key, [figures[key] for figures in rounds]) for key in rounds[0]}


def _together(key: str, values: Sequence[float]) -> float:
    return sum(values) if key in {"answers", "errors"} else shortened(statistics.median(values))


def shortened(value: float) -> float:
    """Four digits that count."""
    return float(f"{value:.4g}")
