"""The report on an experiment, computed from totals and a table of candles."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.experiments.candle_table import CandleTable, Side, UnitMetric, Units
from core.experiments.experiment import VARIANTS, Experiment, ImportedCounts, Metric, Variant
from core.features.labels import UNKNOWN
from core.reports.breakdown import breakdown
from core.reports.decision import Compared, compare, outcome_difference, reach
from core.reports.recorded import Recorded
from core.statistics import formatting, samples
from core.statistics.pairs import pairs
from core.statistics.ratios import Sample, Statistic, difference, estimate, ratio, sharpe
from core.statistics.samples import Results, by_unit
from core.statistics.times import CandleTimes

_OUTCOMES: tuple[Metric, Metric] = ("win_rate", "mean_pnl")


def experiment_report(experiment: Experiment, recorded: Recorded) -> dict[str, Any]:
    """Verdict, differences, variants and checks, ready for JSON. docs/statistics.md explains them.

    Only candles with a time are compared, because neighbours are found by time.
    """
    shadow = experiment.mode == "shadow"
    compared = compare(experiment, recorded)
    table, times = compared.table, compared.times
    # One source for all: figures of one page that rest on different trades would mislead.
    source = compared.results.source
    results = {
        metric: samples.results(table, metric, paired=shadow, units=recorded.units, source=source)
        for metric in _OUTCOMES
    }
    per_candle = samples.results_per_candle(table, results["mean_pnl"].source, paired=shadow, units=recorded.units)
    differences = _differences(table, results, per_candle, recorded.units, times)
    shown: dict[str, Any] = rounded(
        {
            "verdict": reach(experiment, recorded, compared)._asdict(),
            "differences": differences,
            "variants": {
                variant: {
                    "model_version": experiment.version_of(variant),
                    **_variant(variant, recorded, compared, results),
                    "imported": _imported((experiment.imported or {}).get(variant)),
                }
                for variant in VARIANTS
            },
            "beside": recorded.beside._asdict(),
            "breakdown": breakdown(table, results[experiment.metric], experiment.metric),
            "sample_ratio": compared.sample_ratio,
            "reporting": compared.reporting,
            "pairs": pairs(table, times, differences["confidence"], recorded.disagreements) if shadow else None,
        }
    )
    return shown


def _differences(
    table: CandleTable, results: dict[Metric, Results], per_candle: Results, units: Units, times: CandleTimes
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for metric in _OUTCOMES:
        bounds = formatting.SHARE_DIFFERENCE if metric == "win_rate" else formatting.ANY
        value = estimate(outcome_difference(results[metric], metric), times)
        found[metric] = {**formatting.difference(value, bounds), "source": results[metric].source}
    value = estimate(difference(ratio(per_candle.a), ratio(per_candle.b)), times)
    found["pnl_per_candle"] = {**formatting.difference(value, formatting.ANY), "source": per_candle.source}
    sides: tuple[tuple[Side, Variant], ...] = ((table.a, "A"), (table.b, "B"))
    a, b = (ratio(by_unit(samples.hold_rate(side), units, "hold_rate", v), formatting.RATE) for side, v in sides)
    found["hold_rate"] = formatting.difference(estimate(difference(a, b), times), formatting.SHARE_DIFFERENCE)
    a, b = (ratio(by_unit(samples.confidence(side), units, "confidence", v)) for side, v in sides)
    found["confidence"] = formatting.difference(estimate(difference(a, b), times), formatting.SHARE_DIFFERENCE)
    return found


def _variant(
    variant: Variant, recorded: Recorded, compared: Compared, results: dict[Metric, Results]
) -> dict[str, Any]:
    tally, units, table, times = recorded.tallies[variant], recorded.units, compared.table, compared.times
    side = table.a if variant == "A" else table.b

    def shown(sample: Sample, metric: UnitMetric) -> dict[str, Any]:
        rate = ratio(by_unit(sample, units, metric, variant), formatting.RATE)
        return formatting.estimate(estimate(rate, times), formatting.SHARE)

    wins_source, pnl_source = results["win_rate"].source, results["mean_pnl"].source
    pnl = samples.mean_pnl(side, table, pnl_source)
    mean_pnl = ratio(by_unit(pnl, units, samples.unit_metric("mean_pnl", pnl_source), variant))
    both = samples.results_per_candle(table, pnl_source, paired=False, units=units)
    per_candle = ratio(both.a if variant == "A" else both.b)
    wins = shown(samples.win_rate(side, table, wins_source), samples.unit_metric("win_rate", wins_source))
    return {
        "predictions": tally.predictions,
        "unique_users": tally.users,
        "unique_candles": tally.candles,
        "signals": tally.signals,
        "win_rate": {**wins, "source": wins_source},
        "mean_pnl": {**formatting.estimate(estimate(mean_pnl, times), formatting.ANY), "source": pnl_source},
        "pnl_per_candle": {**formatting.estimate(estimate(per_candle, times), formatting.ANY), "source": pnl_source},
        "outcomes_joined": int((side.wins + side.losses + side.neutrals).sum()),
        "late": tally.late,
        "labelled_candles": int(((table.label != UNKNOWN) & (side.predictions > 0)).sum()),
        "hold_rate": shown(samples.hold_rate(side), "hold_rate"),
        "confidence": _confidence(side, ratio(by_unit(samples.confidence(side), units, "confidence", variant)), times),
        "precision": shown(samples.precision(side, table), "win_rate_labels"),
        "recall": shown(samples.recall(side, table), "recall"),
        "sharpe": formatting.estimate(estimate(sharpe(pnl), times), formatting.ANY),
        "fallbacks": tally.fallbacks,
        "failures": tally.failures,
        "refused": tally.refused,
        "unrecorded": tally.unrecorded,
        "warnings": {
            code: {"predictions": count, "share": count / tally.predictions if tally.predictions else None}
            for code, count in tally.warnings.items()
        },
    }


def _confidence(side: Side, mean: Statistic, times: CandleTimes) -> dict[str, Any]:
    square = ratio(samples.squared_confidence(side))
    sd = np.sqrt(np.maximum(square.value - np.square(mean.value), 0.0))
    return {**formatting.estimate(estimate(mean, times), formatting.SHARE), "sd": formatting.number(sd)}


def _imported(found: ImportedCounts | None) -> dict[str, Any] | None:
    if found is None:
        return None
    mean = found.total_confidence / found.count if found.count else None
    return {"count": found.count, "signals": found.signals, "avg_confidence": mean}


def rounded(it: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same with all numbers rounded to nine significant digits.

    Sums depend on the order of their terms in the last digits. Records that arrive in another order give the same
    report.
    """
    if isinstance(it, float):
        return float(f"{it:.9g}")
    if isinstance(it, dict):
        return {key: rounded(value) for key, value in it.items()}
    if isinstance(it, list):
        return [rounded(value) for value in it]
    return it
