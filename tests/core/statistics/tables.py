"""Makers of experiments, tallies and candle tables for tests of the statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.experiments.candle_table import CandleTable, Side, Tally, UnitMetric, Units, UnitSums
from core.experiments.experiment import Experiment, Metric, Variant
from core.features.candles import Floats
from core.features.labels import UNKNOWN
from core.statistics import samples
from core.statistics.ratios import Sample
from core.statistics.reporting import reporting_rate

HOUR = 3_600_000.0
START = 1_704_585_600_000.0  # a Sunday midnight


def experiment(**fields: Any) -> Experiment:  # noqa: ANN401 - any field of an experiment
    given = {"experiment_id": "e", "name": "e", "variant_a": "v3.0", "variant_b": "v3.1", "traffic_split": 0.5}
    return Experiment(**{**given, "created_at": 0, **fields})


def tally(**fields: Any) -> Tally:  # noqa: ANN401 - any field of a tally
    zeros = dict.fromkeys(Tally.__dataclass_fields__, 0)
    empty = {"signals": {"hold": 0, "long": 0, "short": 0}, "confidence": 0.0, "warnings": {}, "surplus": {}}
    if "users" in fields:
        fields.setdefault("units", fields["users"])
    return Tally(**{**zeros, **empty, **fields})


def side(**columns: ArrayLike) -> Side:
    """A side with the given columns; others are zero, and `predictions` is the sum of the signals."""
    given: dict[str, Floats] = {name: np.asarray(column, np.float64) for name, column in columns.items()}
    zeros = np.zeros_like(next(iter(given.values())))
    if "predictions" not in given:
        given["predictions"] = sum((given.get(name, zeros) for name in ("holds", "longs", "shorts")), zeros)
    return Side(**{name: given.get(name, zeros) for name in Side.__dataclass_fields__})


def hours(index: NDArray[np.intp]) -> Floats:
    """The opening times of these hours, counted from START."""
    found: Floats = START + index.astype(np.float64) * HOUR
    return found


def table(
    a: Side, b: Side, label: ArrayLike = UNKNOWN, move_pips: ArrayLike = np.nan, *, place: ArrayLike = 0
) -> CandleTable:
    """A table of consecutive hours of EUR/USD; `place` gives some of them to USD/JPY 1h (1) or EUR/USD 4h (2)."""
    n = len(a.predictions)
    return CandleTable(
        a,
        b,
        np.broadcast_to(np.asarray(label, np.int8), n),
        np.broadcast_to(np.asarray(move_pips, np.float64), n),
        hours(np.arange(n)),
        np.broadcast_to(np.asarray(place, np.intp), n),
        (("EUR/USD", "1h"), ("USD/JPY", "1h"), ("EUR/USD", "4h")),
    )


def units(of: CandleTable, metric: Metric = "win_rate") -> Units:
    """The sums by unit if every candle has predictions of another user."""

    def sums(sample: Sample) -> UnitSums:
        n, d = sample.numerator, sample.denominator
        return UnitSums(n, d, ((n * n).sum(), (n * d).sum(), (d * d).sum()))

    found: dict[UnitMetric, dict[Variant, UnitSums]] = {}
    sides: tuple[tuple[Variant, Side], ...] = (("A", of.a), ("B", of.b))
    for variant, one in sides:
        by_metric: dict[UnitMetric, Sample] = {
            "hold_rate": samples.hold_rate(one),
            "confidence": samples.confidence(one),
            "win_rate_reported": samples.win_rate(one, of, "reported"),
            "mean_pnl_reported": samples.mean_pnl(one, of, "reported"),
            "win_rate_labels": samples.win_rate(one, of, "labels"),
            "mean_pnl_labels": samples.mean_pnl(one, of, "labels"),
            "pnl_per_candle_reported": samples.pnl_per_candle(one, of, "reported"),
            "pnl_per_candle_labels": samples.pnl_per_candle(one, of, "labels"),
            "recall": samples.recall(one, of),
            "reporting_rate": reporting_rate(one, of, metric),
        }
        for name, sample in by_metric.items():
            found.setdefault(name, {})[variant] = sums(sample)
    return found


def traded(results: ArrayLike, pips: float = 10.0) -> Side:
    """One long prediction per candle with a reported result: 1 for a win, 0 for a loss, NaN for no prediction."""
    won = np.asarray(results, np.float64)
    there = (~np.isnan(won)).astype(np.float64)
    won = np.nan_to_num(won)
    return side(
        longs=there,
        confidence=0.7 * there,
        confidence_squares=0.49 * there,
        wins=won,
        losses=there - won,
        pnl=pips * (2 * won - there),
        pnl_count=there,
    )
