"""Sample ratio: whether users were split as configured. If not, the variants cannot be compared."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from core.experiments.assignment import BUCKETS
from core.experiments.candle_table import Tally
from core.experiments.experiment import Variant
from core.statistics import counts

# The probability that the sequential test, which decides, calls a sound experiment invalid at any look is at most this.
LEVEL = 0.01


def sample_ratio(traffic_split: float, tallies: Mapping[Variant, Tally], in_both: int) -> dict[str, Any]:
    """The report's `sample_ratio`, by users, or by their blocks in crossover mode.

    The chi-square test (for a single look) is None if it does not apply.
    """
    a, b = tallies["A"].units, tallies["B"].units
    share = share_of_a(traffic_split)
    p = counts.share_p_value(a, b, share)
    statistic, single_p = counts.chi_square(a, b, share) if a + b and 0 < share < 1 else (None, None)
    return {
        "users": {"A": a, "B": b},
        "expected": {"A": (a + b) * share, "B": (a + b) * (1 - share)},
        "users_in_both": in_both,
        "chi_square": statistic,
        "chi_square_p": single_p,
        "sequential_p": p,
        "level": LEVEL,
        "mismatch": p <= LEVEL,
    }


def share_of_a(traffic_split: float) -> float:
    """The share of users that assignment gives to A, in whole buckets."""
    return bisect_left(range(BUCKETS), traffic_split, key=lambda bucket: bucket / BUCKETS) / BUCKETS
