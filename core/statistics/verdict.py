"""The answer to the product owner's question, in a word and a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from core.experiments.experiment import Experiment, Metric, Variant
from core.statistics import sequences
from core.statistics.sequences import Estimate

# Candles with results that each side needs before the first verdict. From here on the sequences keep their level also
# where neighbouring results are alike: docs/statistics.md has the simulation.
MINIMUM_CANDLES = 300


class Verdict(NamedTuple):
    """`word`: B better, A better, no difference larger than X, not yet, or invalid."""

    word: str
    sentence: str


class Evidence(NamedTuple):
    """The difference B - A of the experiment's metric, each side's candles with results, and all candles."""

    difference: Estimate
    a_candles: int
    b_candles: int
    candles: int


def invalid(sample_ratio: Mapping[str, Any]) -> Verdict | None:
    """The verdict where the report's `sample_ratio` says that users were not split as agreed; null where they were."""
    users, both = sample_ratio["users"], sample_ratio["users_in_both"]
    if both:
        return Verdict("invalid", f"{both:,} users saw both variants, which assignment never does")
    if not sample_ratio["mismatch"]:
        return None
    found = (
        f"{users['A']:,} users of A and {users['B']:,} of B, where {sample_ratio['expected']['A']:,.0f} should be A's"
    )
    return Verdict("invalid", f"{found} (p = {sample_ratio['sequential_p']:.1g}): the rest do not compare")


def reach_verdict(experiment: Experiment, evidence: Evidence) -> Verdict:
    """The verdict on a valid experiment.

    An interval within the minimum effect says "no difference larger", though it may leave out zero: such a difference
    was declared to be of no interest.
    """
    difference, effect = evidence.difference, experiment.minimum_effect
    fewer = min(evidence.a_candles, evidence.b_candles)
    if fewer < MINIMUM_CANDLES:
        return _too_few(experiment, evidence)
    value, half = float(difference.value), float(sequences.margin(difference))
    if half == 0:
        return Verdict("not yet", f"every result is the same so far: {_about(experiment, MINIMUM_CANDLES)}")
    between = _between(experiment.metric, value, half)
    if abs(value) + half <= effect:
        return Verdict(f"no difference larger than {effect:g}", between)
    if abs(value) > half:
        better: Variant = "B" if value > 0 else "A"
        return Verdict(f"{better} better", f"{better} is {experiment.version_of(better)}: {between}")
    total = sequences.candles_until(difference, max(abs(value), effect - abs(value)))
    more = None if total is None else (total / float(difference.candles) - 1) * evidence.candles
    return Verdict("not yet", f"{_about(experiment, more)}; {between}")


def _too_few(experiment: Experiment, evidence: Evidence) -> Verdict:
    if experiment.mode == "split" and experiment.traffic_split in {0.0, 1.0}:
        return Verdict("not yet", f"all users go to {'A' if experiment.traffic_split else 'B'}: nothing is compared")
    a, b = evidence.a_candles, evidence.b_candles
    fewer = min(a, b)
    more = (MINIMUM_CANDLES / fewer - 1) * evidence.candles if fewer else None
    count = f"results on {a:,} candles of A and {b:,} of B, at least {MINIMUM_CANDLES} of each are needed"
    return Verdict("not yet", f"{_about(experiment, more)}; {count}")


def _about(experiment: Experiment, more: float | None) -> str:
    """The number is rounded up to two digits: it is a forecast."""
    if experiment.status == "stopped":
        return "it has stopped, and no more candles come"
    if more is None:
        return "nobody can say how many more candles"
    digit = 10 ** max(0, math.floor(math.log10(max(more, 1))) - 1)
    return f"about {math.ceil(more / digit) * digit:,} more candles at this rate"


def _between(metric: Metric, value: float, half: float) -> str:
    scale, unit, places = (100, "percentage points", 1) if metric == "win_rate" else (1, "pips", 2)
    name = metric.replace("_", " ").replace("pnl", "P&L")
    low, high = ((value + sign * half) * scale for sign in (-1, 1))
    return f"B - A in {name} is {value * scale:+.{places}f} {unit}, between {low:+.{places}f} and {high:+.{places}f}"
