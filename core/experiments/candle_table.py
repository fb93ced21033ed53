"""What an experiment's report is computed from: one row a candle."""

from __future__ import annotations

from dataclasses import dataclass

from core.features.candles import Floats
from core.features.labels import Labels


@dataclass(frozen=True, slots=True)
class Side:
    """One variant's sums over its predictions on each candle; float64, shape (n,). Fallbacks are not among them.

    confidence, confidence_squares: sums over predictions. wins, losses, neutrals: counts of reported outcomes.
    pnl, pnl_count: the sum of reported P&L in pips, and of how many outcomes.
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
    """Every candle on which either variant predicted, by the time of its first prediction.

    label: what `evaluate` found, of core.features.labels; UNKNOWN where it has not looked. move_pips: from the candle's
    close to that of the rule's horizon, NaN where unlabelled. In shadow mode every candle has one prediction of each
    side.
    """

    a: Side
    b: Side
    label: Labels
    move_pips: Floats

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True, slots=True)
class Tally:
    """One variant's totals. predictions, signals and confidence leave fallbacks out, the rest counts all.

    confidence: the sum. slow: answers beyond the guardrail of latency. candles, held_candles: how many candles had
    predictions, and on how many of these every one was hold. unrecorded: answered, but lost (see
    core.journals.journal). warnings: how many of the predictions carried a warning, by its code.
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
