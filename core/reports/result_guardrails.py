"""Guardrails on results: whether it is certain that the win rate or the P&L of a variant is below its limit."""

from __future__ import annotations

from collections.abc import Iterator

from core.experiments.candle_table import CandleTable
from core.experiments.experiment import VARIANTS, Experiment, Metric, Variant
from core.reports.recorded import Recorded
from core.statistics import formatting, samples, sequences
from core.statistics.guardrails import level_of_each
from core.statistics.ratios import estimate, ratio
from core.statistics.sequences import Estimate
from core.statistics.times import times_of


def results_crossed(experiment: Experiment, recorded: Recorded) -> str | None:
    """A sentence with the crossed limit, the variant and its interval; None while all limits are kept.

    A limit is crossed when the interval of the variant's own result lies below it, at any look. Before there are enough
    candle times and users, nothing is crossed.
    """
    level = level_of_each(experiment.guardrails)
    table = recorded.table.timed
    for metric, limit in _limits(experiment):
        for variant in VARIANTS:
            found = _result(experiment, recorded, table, metric, variant)
            if found is not None and bool(found.valid) and float(found.value + sequences.margin(found, level)) < limit:
                return _describe(experiment, variant, metric, found, limit)
    return None


def has_limits(experiment: Experiment) -> bool:
    """Whether an experiment has guardrails on results."""
    return any(True for _ in _limits(experiment))


def _limits(experiment: Experiment) -> Iterator[tuple[Metric, float]]:
    limits = experiment.guardrails
    if limits.min_win_rate is not None:
        yield "win_rate", limits.min_win_rate
    if limits.min_mean_pnl is not None:
        yield "mean_pnl", limits.min_mean_pnl


def _result(
    experiment: Experiment, recorded: Recorded, table: CandleTable, metric: Metric, variant: Variant
) -> Estimate | None:
    """The variant's own result. None for B in shadow mode with reported outcomes, which only A's trades have."""
    source = samples.results(table, metric, paired=False).source
    if variant == "B" and experiment.mode == "shadow" and source == "reported":
        return None
    side = table.a if variant == "A" else table.b
    sample = samples.OUTCOME_METRICS[metric](side, table, source)
    sample = samples.by_unit(sample, recorded.units, samples.unit_metric(metric, source), variant)
    return estimate(ratio(sample, formatting.RATE if metric == "win_rate" else None), times_of(table))


def _describe(experiment: Experiment, variant: Variant, metric: Metric, found: Estimate, limit: float) -> str:
    value, candles = float(found.value), int(found.candles)
    shown, least = (f"{value:.2%}", f"{limit:.2%}") if metric == "win_rate" else (f"{value:.2f} pips", f"{limit:.2f}")
    name = metric.replace("_", " ").replace("pnl", "P&L")
    of = f"variant {variant} ({experiment.version_of(variant)})"
    return f"guardrail min_{metric}: the {name} of {of} is {shown} at {candles:,} candle times (minimum {least})"
