"""The decision about an experiment: from what is recorded to the verdict."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core.experiments.candle_table import CandleTable
from core.experiments.experiment import Experiment, Metric
from core.reports.beside import explained
from core.reports.recorded import Recorded
from core.statistics import formatting, samples, verdict
from core.statistics.ratios import Sample, Statistic, difference, estimate, ratio
from core.statistics.reporting import reporting
from core.statistics.sample_ratio import sample_ratio
from core.statistics.samples import Results
from core.statistics.times import CandleTimes, times_of, totals
from core.statistics.verdict import Evidence, Verdict


class Compared(NamedTuple):
    """What the verdict is made from.

    table: the candles whose time is known; only these are compared, because neighbours are found by time. results: of
    the experiment's metric. sample_ratio, reporting: as in the report; None where they do not apply.
    """

    table: CandleTable
    times: CandleTimes
    results: Results
    sample_ratio: dict[str, Any] | None
    reporting: dict[str, Any] | None


def compare(experiment: Experiment, recorded: Recorded) -> Compared:
    """Prepare the comparison of both variants."""
    table, units, shadow = recorded.table.timed, recorded.units, experiment.mode == "shadow"
    times = times_of(table)
    results = samples.results(table, experiment.metric, paired=shadow, units=units, source=recorded.source)
    users = None if shadow else sample_ratio(experiment.traffic_split, recorded.tallies, recorded.in_both)
    reports = None
    if not shadow and results.source == "reported":
        reports = reporting(table, experiment.metric, units, times, stopped=experiment.status == "stopped")
    return Compared(table, times, results, users, reports)


def reach(experiment: Experiment, recorded: Recorded, compared: Compared) -> Verdict:
    """The verdict, with remarks on what is missing."""
    found = None if compared.sample_ratio is None else verdict.split_invalid(experiment, compared.sample_ratio)
    if found is None and compared.reporting is not None:
        found = verdict.reporting_invalid(compared.reporting)
    if found is None:
        found = verdict.reach_verdict(experiment, _evidence(experiment, compared))
    remarks = [found.sentence]
    if untimed := len(recorded.table) - len(compared.table):
        remedy = "send timestamps, or candle_time with features"
        remarks.append(f"{untimed:,} candles came without timestamps and are not compared: {remedy}")
    if lost := sum(tally.unrecorded for tally in recorded.tallies.values()):
        remarks.append(f"{lost:,} predictions were answered but not recorded and are missing here")
    found = found._replace(sentence="; ".join(remarks))
    return explained(found, experiment, recorded.tallies, recorded.beside)


def outcome_difference(results: Results, metric: Metric) -> Statistic:
    """The difference B - A of an outcome metric."""
    return difference(_outcome(results.a, metric), _outcome(results.b, metric))


def _outcome(sample: Sample, metric: Metric) -> Statistic:
    return ratio(sample, formatting.RATE if metric == "win_rate" else None)


def _evidence(experiment: Experiment, compared: Compared) -> Evidence:
    table, times, results = compared.table, compared.times, compared.results
    a, b = (int((totals(sample.present.astype(np.float64), times) > 0).sum()) for sample in (results.a, results.b))
    units = None
    if results.a.units is not None and results.b.units is not None:
        units = round(float(results.a.units.number)), round(float(results.b.units.number))
    unjudged = 0.0
    if experiment.mode == "shadow" and results.source == "reported":
        trades = table.b.longs + table.b.shorts
        agreed = table.a.longs * table.b.longs + table.a.shorts * table.b.shorts
        unjudged = 1 - float(agreed.sum() / trades.sum()) if trades.any() else 0.0
    found = estimate(outcome_difference(results, experiment.metric), times)
    unchecked = compared.reporting is not None and not compared.reporting["valid"]
    return Evidence(found, (a, b), len(times.at), units, unjudged, unchecked)
