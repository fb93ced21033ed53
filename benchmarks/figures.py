"""From what a load found to figures: percentiles, what the server used for it, and medians of rounds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Concatenate, ParamSpec

from benchmarks.load import Result
from benchmarks.servers import Running

P = ParamSpec("P")


def watched(
    running: Running, load: Callable[Concatenate[int, P], Result], *args: P.args, **kwargs: P.kwargs
) -> dict[str, float]:
    """A load's summary, and `cpu_us`: what all processes of the server used for each answer, warm-up and all.

    `load` gets the server's port, then the arguments.
    """
    before = running.cpu_seconds
    result = load(running.port, *args, **kwargs)
    used = running.cpu_seconds - before
    # Those of the warm-up are answered at the same rate as the others.
    answers = len(result.times) * (result.seconds + result.warm_up) / result.seconds
    return result.summary() | {"cpu_us": 1e6 * used / answers}


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each figure's median over the rounds, to four digits; answers and errors are counted together."""
    return {key: _together(key, [figures[key] for figures in rounds]) for key in rounds[0]}


def _together(key: str, values: Sequence[float]) -> float:
    return sum(values) if key in {"answers", "errors"} else shortened(statistics.median(values))


def shortened(value: float) -> float:
    """Four digits that count."""
    return float(f"{value:.4g}")
