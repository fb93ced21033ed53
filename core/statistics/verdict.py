"""The verdict on an experiment, as a word and a sentence for the product owner."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from core.experiments.experiment import Experiment, Metric, Variant
from core.statistics import sequences
from core.statistics.sequences import Estimate

# Candles with results that each variant needs before the first verdict. From this number on, the confidence sequences
# keep their level even if neighbouring results are correlated; docs/statistics.md has the simulation.
MINIMUM_CANDLES = 300


class Verdict(NamedTuple):
    """`word`: B better, A better, no difference larger than X, not yet, or invalid."""

    word: str
    sentence: str


class Evidence(NamedTuple):
    """The difference B - A of the metric, the number of candles with results per variant, and that of all candles."""

    difference: Estimate
    a_candles: int
    b_candles: int
    candles: int


def invalid(sample_ratio: Mapping[str, Any]) -> Verdict | None:
    """The verdict `invalid` if users were not split as configured, by the report's `sample_ratio`; else None."""
    users, both = sample_ratio["users"], sample_ratio["users_in_both"]
    if both:
        return Verdict("invalid", f"{both:,} users got both variants, but assignment gives each user only one")
    if not sample_ratio["mismatch"]:
        return None
    counts = f"A has {users['A']:,} users and B {users['B']:,}, but A should have {sample_ratio['expected']['A']:,.0f}"
    p = f"p = {sample_ratio['sequential_p']:.1g}"
    return Verdict("invalid", f"{counts} ({p}), so the variants cannot be compared")


def reach_verdict(experiment: Experiment, evidence: Evidence) -> Verdict:
    """The verdict on a valid experiment.

    An interval within the minimum effect gives "no difference larger than ...", even if it excludes zero: the
    experiment declares such a difference to be of no interest.
    """
    difference, effect = evidence.difference, experiment.minimum_effect
    fewer = min(evidence.a_candles, evidence.b_candles)
    if fewer < MINIMUM_CANDLES:
        return _too_few(experiment, evidence)
    value, half = float(difference.value), float(sequences.margin(difference))
    if half == 0:
        return Verdict("not yet", f"{_forecast(experiment, MINIMUM_CANDLES)}; all results so far are the same")
    between = _between(experiment.metric, value, half)
    if abs(value) + half <= effect:
        return Verdict(f"no difference larger than {effect:g}", between)
    if abs(value) > half:
        better: Variant = "B" if value > 0 else "A"
        return Verdict(f"{better} better", f"{better} is {experiment.version_of(better)}: {between}")
    total = sequences.candles_until(difference, max(abs(value), effect - abs(value)))
    more = None if total is None else (total / float(difference.candles) - 1) * evidence.candles
    return Verdict("not yet", f"{_forecast(experiment, more)}; {between}")


def _too_few(experiment: Experiment, evidence: Evidence) -> Verdict:
    if experiment.mode == "split" and experiment.traffic_split in {0.0, 1.0}:
        only = "A" if experiment.traffic_split else "B"
        return Verdict("not yet", f"all users are assigned to {only}, so there is nothing to compare")
    a, b = evidence.a_candles, evidence.b_candles
    fewer = min(a, b)
    more = (MINIMUM_CANDLES / fewer - 1) * evidence.candles if fewer else None
    count = f"A has results on {a:,} candles and B on {b:,}, each needs at least {MINIMUM_CANDLES}"
    return Verdict("not yet", f"{_forecast(experiment, more)}; {count}")


def _forecast(experiment: Experiment, more: float | None) -> str:
    """The number of further candles, rounded up to two digits because it is only a forecast."""
    if experiment.status == "stopped":
        return "the experiment has stopped and gets no more candles"
    if more is None:
        return "the number of further candles cannot be estimated"
    digit = 10 ** max(0, math.floor(math.log10(max(more, 1))) - 1)
    return f"about {math.ceil(more / digit) * digit:,} more candles are needed at the present rate"


def _between(metric: Metric, value: float, half: float) -> str:
    scale, unit, places = (100, "percentage points", 1) if metric == "win_rate" else (1, "pips", 2)
    name = metric.replace("_", " ").replace("pnl", "P&L")
    low, high = ((value + sign * half) * scale for sign in (-1, 1))
    estimate = f"{value * scale:+.{places}f} {unit}"
    return f"the {name} of B minus that of A is {estimate}, interval {low:+.{places}f} to {high:+.{places}f}"
