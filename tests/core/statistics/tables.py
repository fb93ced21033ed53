"""Makers of experiments, tallies and candle tables for tests of the statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from core.experiments.candle_table import CandleTable, Side, Tally
from core.experiments.experiment import Experiment
from core.features.candles import Floats
from core.features.labels import UNKNOWN


def experiment(**fields: Any) -> Experiment:  # noqa: ANN401 - any field of an experiment
    given = {"experiment_id": "e", "name": "e", "variant_a": "v3.0", "variant_b": "v3.1", "traffic_split": 0.5}
    return Experiment(**{**given, "created_at": 0, **fields})


def tally(**fields: Any) -> Tally:  # noqa: ANN401 - any field of a tally
    zeros = dict.fromkeys(Tally.__dataclass_fields__, 0)
    empty = {"signals": {"hold": 0, "long": 0, "short": 0}, "confidence": 0.0, "warnings": {}}
    return Tally(**{**zeros, **empty, **fields})


def side(**columns: ArrayLike) -> Side:
    """A side with the given columns; others are zero, and `predictions` is the sum of the signals."""
    given: dict[str, Floats] = {name: np.asarray(column, np.float64) for name, column in columns.items()}
    zeros = np.zeros_like(next(iter(given.values())))
    if "predictions" not in given:
        given["predictions"] = sum((given.get(name, zeros) for name in ("holds", "longs", "shorts")), zeros)
    return Side(**{name: given.get(name, zeros) for name in Side.__dataclass_fields__})


def table(a: Side, b: Side, label: ArrayLike = UNKNOWN, move_pips: ArrayLike = np.nan) -> CandleTable:
    n = len(a.predictions)
    return CandleTable(
        a, b, np.broadcast_to(np.asarray(label, np.int8), n), np.broadcast_to(np.asarray(move_pips, np.float64), n)
    )


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


def row(of: CandleTable, index: int) -> CandleTable:
    """One experiment of a table that has an axis of experiments before the axis of candles."""

    def one(of: Side) -> Side:
        return Side(**{name: getattr(of, name)[index] for name in Side.__dataclass_fields__})

    return CandleTable(one(of.a), one(of.b), of.label[index], of.move_pips[index])
