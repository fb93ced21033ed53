"""The labels that detectors are trained on, by name. A label of a bar uses later bars; an input never does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from core.experiments.label_rule import LabelRule
from core.features.candles import Candles
from core.features.indicators import Indicators
from core.features.labels import LONG, NONE, SHORT, UNKNOWN, Labels, pip_of


class TripleBarrier(NamedTuple):
    """Which of two prices the next `horizon` bars reach first; López de Prado, Advances in Financial Machine Learning.

    distance_atr: of both prices from the close, in atr_14. LONG if only the upper one is reached, or it is reached in
    an earlier bar; SHORT is the mirror image; NONE if neither is, or both are reached in one bar.
    """

    horizon: int
    distance_atr: float

    def labels(self, candles: Candles, pip: float) -> Labels:  # noqa: ARG002 - as LabelRule.labels
        """The labels, shape (n,): UNKNOWN for the first 14 and the last `horizon` bars, and without an ATR."""
        bars, first = len(candles), 14
        labels = np.full(bars, UNKNOWN, np.int8)
        if bars <= first + self.horizon:
            return labels
        inner = slice(first, bars - self.horizon)
        distance = self.distance_atr * Indicators(candles, bars - first).atr()[: -self.horizon]
        close = candles.close[inner]
        above = sliding_window_view(candles.high[first + 1 :], self.horizon) >= (close + distance)[:, None]
        below = sliding_window_view(candles.low[first + 1 :], self.horizon) <= (close - distance)[:, None]
        up, down = (_first(each, self.horizon) for each in (above, below))
        labels[inner] = np.select([distance == 0.0, up < down, down < up], [UNKNOWN, LONG, SHORT], NONE)
        return labels


Rule = LabelRule | TripleBarrier

# win 3, loss at most 2.5: v3.2's. The others are compared with it in the search.
TRADES_3_ATR = LabelRule(rule="profitable_trades", horizon=10, min_profit_atr=3.0, max_loss_atr=2.5, min_ratio=1.5)
RULES: dict[str, Rule] = {
    "trades_3_atr": TRADES_3_ATR,
    "trades_1.5_atr": LabelRule(
        rule="profitable_trades", horizon=10, min_profit_atr=1.5, max_loss_atr=2.5, min_ratio=1.5
    ),
    "reversals_1.5_atr": LabelRule(horizon=10, min_profit_atr=1.5, max_loss_atr=2.5, min_ratio=1.5),
    "reversals_3_atr": LabelRule(horizon=10, min_profit_atr=3.0, max_loss_atr=2.5, min_ratio=1.5),
    # v3.1's rule: 30 and 50 pips of a daily bar, scaled to hours as in its training.
    "reversals_pips": LabelRule(horizon=10, min_profit_pips=6.18063, max_loss_pips=10.30105, min_ratio=1.5),
    "triple_barrier": TripleBarrier(horizon=10, distance_atr=2.0),
}


def labels(rule: Rule, candles: Candles, pair: str) -> Labels:
    """The labels of one pair's bars, shape (n,)."""
    return rule.labels(candles, pip_of(pair))


def _first(
    reached: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], never: int
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """By row, the first column that is true; `never` if none is."""
    found: np.ndarray[tuple[int], np.dtype[np.intp]] = np.where(reached.any(axis=1), reached.argmax(axis=1), never)
    return found
