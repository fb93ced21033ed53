"""The verdict on an experiment, as a word and a sentence for the product owner."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from core.experiments.experiment import VARIANTS, Experiment, Metric, Variant
from core.statistics import sequences
from core.statistics.reporting import SETTLED_PERIODS
from core.statistics.sequences import MINIMUM_TIMES, MINIMUM_UNITS, Estimate

# A is named first: the numbers of A and B.
_Counts: TypeAlias = tuple[int, int]


class Verdict(NamedTuple):
    """`word`: B better, A better, no difference larger than X, not yet, or invalid.

    more_candles: how many more candles are needed at the present rate; None if that is unknown, or none are needed.
    """

    word: str
    sentence: str
    more_candles: float | None = None


class Evidence(NamedTuple):
    """What the verdict on a valid experiment is made from.

    difference: B - A of the metric. times: for A and B, how many different candle times have results. all_times: that
    of all candles, with results or without. units: for A and B, how many users, or blocks of users in crossover mode,
    have results; None in shadow mode. unjudged: in shadow mode with reported outcomes, the share of B's trades that
    have no result because A did not give the same signal; else 0. unchecked: whether too few trades are old enough to
    tell whether both sides report their outcomes equally often.
    """

    difference: Estimate
    times: _Counts
    all_times: int
    units: _Counts | None = None
    unjudged: float = 0.0
    unchecked: bool = False


# Up to this share of B's trades may be unjudged. Then even if all of them were lost, the win rate would hardly change.
MOST_UNJUDGED = 0.02


def split_invalid(experiment: Experiment, sample_ratio: Mapping[str, Any]) -> Verdict | None:
    """The verdict `invalid` if users were not split as configured, by the report's `sample_ratio`; else None."""
    users, both = sample_ratio["users"], sample_ratio["users_in_both"]
    unit = "blocks of users" if experiment.mode == "crossover" else "users"
    if both:
        return Verdict("invalid", f"{both:,} {unit} got both variants, but assignment gives each only one")
    if not sample_ratio["mismatch"]:
        return None
    expected = sample_ratio["expected"]["A"]
    counts = f"A has {users['A']:,} {unit} and B {users['B']:,}, but A should have {expected:,.0f}"
    p = f"p = {sample_ratio['sequential_p']:.1g}"
    return Verdict("invalid", f"{counts} ({p}), so the variants cannot be compared")


def reporting_invalid(reporting: Mapping[str, Any]) -> Verdict | None:
    """The verdict `invalid` if the outcomes of one variant are reported less often, by the report's `reporting`."""
    if not reporting["differs"]:
        return None
    a, b = (reporting[variant]["estimate"] for variant in VARIANTS)
    rates = f"outcomes were reported for {a:.1%} of A's trades and for {b:.1%} of B's (p = {reporting['p_value']:.1g})"
    reason = "the missing ones can be the losses of one side, so the variants cannot be compared"
    return Verdict("invalid", f"{rates}; {reason}: report the outcome of every trade, in a new experiment")


def reach_verdict(experiment: Experiment, evidence: Evidence) -> Verdict:
    """The verdict on a valid experiment.

    An interval within the minimum effect gives "no difference larger than ...", even if it excludes zero: the
    experiment declares such a difference to be of no interest.
    """
    difference, effect = evidence.difference, experiment.minimum_effect
    if evidence.unjudged > MOST_UNJUDGED:
        share = f"{evidence.unjudged:.1%} of B's trades have no result, because A did not give the same signal"
        return Verdict("not yet", f"{share}; call evaluate, which labels the trades of both versions")
    missing = _missing(experiment, evidence)
    if missing is not None:
        return missing
    value, half = float(difference.value), float(sequences.margin(difference))
    if half == 0:
        return _not_yet(experiment, MINIMUM_TIMES, "all results so far are the same")
    between = _between(experiment.metric, value, half)
    if abs(value) + half <= effect:
        return Verdict(f"no difference larger than {effect:g}", between)
    if abs(value) > half:
        better: Variant = "B" if value > 0 else "A"
        return Verdict(f"{better} better", f"{better} is {experiment.version_of(better)}: {between}")
    total = sequences.candles_until(difference, max(abs(value), effect - abs(value)))
    more = None if total is None else (total / float(difference.candles) - 1) * evidence.all_times
    return _not_yet(experiment, more, between)


def _missing(experiment: Experiment, evidence: Evidence) -> Verdict | None:
    """The verdict "not yet" with the number of times or units that is missing; None if there are enough."""
    if experiment.mode != "shadow" and experiment.traffic_split in {0.0, 1.0}:
        only = "A" if experiment.traffic_split else "B"
        return Verdict("not yet", f"all users are assigned to {only}, so there is nothing to compare")
    if evidence.units is not None and min(evidence.units) < MINIMUM_UNITS:
        a, b = evidence.units
        if experiment.mode == "split":
            count = f"A has results of {a:,} users and B of {b:,}, each needs at least {MINIMUM_UNITS}"
            return _not_yet(experiment, None, f"{count}; with fewer users, use mode crossover or shadow")
        count = f"A has results of {a:,} blocks of users and B of {b:,}, each needs at least {MINIMUM_UNITS}"
        return _not_yet(experiment, _extrapolated(evidence, min(a, b), MINIMUM_UNITS), count)
    a, b = evidence.times
    if min(a, b) >= MINIMUM_TIMES:
        if not evidence.unchecked:
            return None
        old = f"{MINIMUM_TIMES} candle times of each variant must be {SETTLED_PERIODS} candles old"
        return _not_yet(experiment, SETTLED_PERIODS, f"{old}, to check that both report their outcomes equally often")
    count = f"A has results at {a:,} candle times and B at {b:,}, each needs at least {MINIMUM_TIMES}"
    return _not_yet(experiment, _extrapolated(evidence, min(a, b), MINIMUM_TIMES), count)


def _extrapolated(evidence: Evidence, found: int, needed: int) -> float | None:
    """How many more candle times there are until `found` has grown to `needed`, at the present rate."""
    return (needed / found - 1) * evidence.all_times if found else None


def _not_yet(experiment: Experiment, more: float | None, because: str) -> Verdict:
    if experiment.status == "stopped":
        return Verdict("not yet", f"the experiment has stopped and gets no more candles; {because}")
    if more is None:
        return Verdict("not yet", f"the number of further candles cannot be estimated; {because}")
    # Two digits, because it is only a forecast.
    digit = 10 ** max(0, math.floor(math.log10(max(more, 1))) - 1)
    rounded = math.ceil(more / digit) * digit
    return Verdict("not yet", f"about {rounded:,} more candles are needed at the present rate; {because}", rounded)


def _between(metric: Metric, value: float, half: float) -> str:
    scale, unit, places = (100, "percentage points", 1) if metric == "win_rate" else (1, "pips", 2)
    name = metric.replace("_", " ").replace("pnl", "P&L")
    low, high = ((value + sign * half) * scale for sign in (-1, 1))
    estimate = f"{value * scale:+.{places}f} {unit}"
    return f"the {name} of B minus that of A is {estimate}, interval {low:+.{places}f} to {high:+.{places}f}"
