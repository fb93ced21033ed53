"""The report on an experiment, computed from totals and a table of candles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.experiments.candle_table import CandleTable, Side, Tally
from core.experiments.experiment import VARIANTS, Experiment, ImportedCounts, Metric, Variant
from core.features.labels import UNKNOWN
from core.statistics import formatting, samples, verdict
from core.statistics.pairs import pairs
from core.statistics.ratios import Sample, Statistic, difference, estimate, ratio, sharpe
from core.statistics.sample_ratio import sample_ratio
from core.statistics.samples import Results
from core.statistics.verdict import Evidence, Verdict

_OUTCOMES: tuple[Metric, Metric] = ("win_rate", "mean_pnl")


def experiment_report(
    experiment: Experiment,
    tallies: Mapping[Variant, Tally],
    table: CandleTable,
    users_in_both: int,
    disagreements: list[dict[str, Any]],
) -> dict[str, Any]:
    """Variants, sample_ratio, pairs, differences and verdict, ready for JSON. docs/statistics.md explains them."""
    shadow = experiment.mode == "shadow"
    sides = {"A": table.a, "B": table.b}
    results = {metric: samples.results(table, metric, paired=shadow) for metric in _OUTCOMES}
    differences = _differences(table, results)
    users = None if shadow else sample_ratio(experiment.traffic_split, tallies, users_in_both)
    return {
        "variants": {
            variant: {
                "model_version": experiment.version_of(variant),
                **_variant(tallies[variant], sides[variant], table, results),
                "imported": _imported((experiment.imported or {}).get(variant)),
            }
            for variant in VARIANTS
        },
        "sample_ratio": users,
        "pairs": pairs(table, differences["confidence"], disagreements) if shadow else None,
        "differences": differences,
        "verdict": _verdict(experiment, tallies, table, results, users)._asdict(),
    }


def outcome_difference(results: Results, metric: Metric) -> Statistic:
    """The difference B - A of an outcome metric."""
    return difference(_outcome(results.a, metric), _outcome(results.b, metric))


def _outcome(sample: Sample, metric: Metric) -> Statistic:
    return ratio(sample, formatting.RATE if metric == "win_rate" else None)


def _differences(table: CandleTable, results: dict[Metric, Results]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for metric in _OUTCOMES:
        bounds = formatting.SHARE_DIFFERENCE if metric == "win_rate" else formatting.ANY
        value = estimate(outcome_difference(results[metric], metric))
        found[metric] = {**formatting.difference(value, bounds), "source": results[metric].source}
    a, b = (ratio(samples.hold_rate(side), formatting.RATE) for side in (table.a, table.b))
    found["hold_rate"] = formatting.difference(estimate(difference(a, b)), formatting.SHARE_DIFFERENCE)
    a, b = (ratio(samples.confidence(side)) for side in (table.a, table.b))
    found["confidence"] = formatting.difference(estimate(difference(a, b)), formatting.SHARE_DIFFERENCE)
    return found


def _variant(tally: Tally, side: Side, table: CandleTable, results: dict[Metric, Results]) -> dict[str, Any]:
    pnl = samples.mean_pnl(side, table, results["mean_pnl"].source)
    wins = samples.win_rate(side, table, results["win_rate"].source)
    return {
        "predictions": tally.predictions,
        "unique_users": tally.users,
        "unique_candles": tally.candles,
        "signals": tally.signals,
        "hold_rate": _rate(samples.hold_rate(side)),
        "confidence": _confidence(side),
        "outcomes_joined": int((side.wins + side.losses + side.neutrals).sum()),
        "labelled_candles": int(((table.label != UNKNOWN) & (side.predictions > 0)).sum()),
        "win_rate": {**_rate(wins), "source": results["win_rate"].source},
        "precision": _rate(samples.precision(side, table)),
        "recall": _rate(samples.recall(side, table)),
        "mean_pnl": {**formatting.estimate(estimate(ratio(pnl)), formatting.ANY), "source": results["mean_pnl"].source},
        "sharpe": formatting.estimate(estimate(sharpe(pnl)), formatting.ANY),
        "fallbacks": tally.fallbacks,
        "failures": tally.failures,
        "unrecorded": tally.unrecorded,
        "warnings": {
            code: {"predictions": count, "share": count / tally.predictions if tally.predictions else None}
            for code, count in tally.warnings.items()
        },
    }


def _rate(sample: Sample) -> dict[str, Any]:
    return formatting.estimate(estimate(ratio(sample, formatting.RATE)), formatting.SHARE)


def _confidence(side: Side) -> dict[str, Any]:
    mean, square = ratio(samples.confidence(side)), ratio(samples.squared_confidence(side))
    sd = np.sqrt(np.maximum(square.value - np.square(mean.value), 0.0))
    return {**formatting.estimate(estimate(mean), formatting.SHARE), "sd": formatting.number(sd)}


def _imported(found: ImportedCounts | None) -> dict[str, Any] | None:
    if found is None:
        return None
    mean = found.total_confidence / found.count if found.count else None
    return {"count": found.count, "signals": found.signals, "avg_confidence": mean}


def _verdict(
    experiment: Experiment,
    tallies: Mapping[Variant, Tally],
    table: CandleTable,
    results: dict[Metric, Results],
    users: dict[str, Any] | None,
) -> Verdict:
    found = None if users is None else verdict.invalid(users)
    if found is None:
        of_metric = results[experiment.metric]
        difference_found = estimate(outcome_difference(of_metric, experiment.metric))
        candles_of_a, candles_of_b = (int(sample.present.sum()) for sample in (of_metric.a, of_metric.b))
        found = verdict.reach_verdict(experiment, Evidence(difference_found, candles_of_a, candles_of_b, len(table)))
    remarks = [found.sentence]
    if experiment.mode == "shadow" and results[experiment.metric].source == "reported":
        remarks.append("trades that only B would have made have no reported result: call evaluate to label them")
    if lost := sum(tally.unrecorded for tally in tallies.values()):
        remarks.append(f"{lost:,} predictions were answered but not recorded and are missing here")
    return Verdict(found.word, "; ".join(remarks))
