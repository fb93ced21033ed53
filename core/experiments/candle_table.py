"""The data of an experiment's report: a table with one row per candle, and totals per variant."""

from __future__ import annotations

from dataclasses import dataclass

from core.features.candles import Floats
from core.features.labels import Labels


@dataclass(frozen=True, slots=True)
class Side:
    """One variant's sums over its predictions on each candle, without fallbacks; float64, shape (n,).

    confidence, confidence_squares: sums over predictions. wins, losses, neutrals: counts of reported outcomes.
    pnl: the sum of reported P&L in pips. pnl_count: the number of outcomes with a P&L.
    """

    predictions: Floats
    holds: Floats
    longs: Floats
    shorts: Floats
    confidence: Floats
    confidence_squares: Floats
    wins: Floats
    losses: Floats
    neutrals: Floats
    pnl: Floats
    pnl_count: Floats


@dataclass(frozen=True, slots=True)
class CandleTable:
    """All candles with a prediction of either variant, in the order of their first prediction.

    label: the label that `evaluate` gave, a constant of core.features.labels; UNKNOWN if it gave none.
    move_pips: the move from the candle's close to the close at the rule's horizon; NaN without a label.
    In shadow mode every candle has one prediction of each side.
    """

    a: Side
    b: Side
    label: Labels
    move_pips: Floats

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True, slots=True)
class Tally:
    """One variant's totals. predictions, signals, confidence, users and warnings do not count fallbacks.

    confidence: the sum. slow: answers slower than the guardrail `max_p99_ms`. candles: candles with predictions.
    held_candles: candles on which every prediction was hold. unrecorded: predictions that were answered but not
    recorded (see core.journals.journal). warnings: the number of predictions with a warning, by its code.
    """

    predictions: int
    signals: dict[str, int]
    confidence: float
    users: int
    candles: int
    held_candles: int
    fallbacks: int
    failures: int
    slow: int
    unrecorded: int
    warnings: dict[str, int]
