"""How much an hour moves against a day: the factor that brings rules made for daily bars to hourly ones."""

from __future__ import annotations

import numpy as np

from core.features.candles import Candles
from core.features.indicators import Indicators
from training.data import History


def daily(history: History) -> Candles:
    """Aggregate the bars by UTC date: first open, highest high, lowest low, last close, total volume."""
    dates = history.timestamps.astype("datetime64[D]")
    starts = np.flatnonzero(np.append(True, dates[1:] != dates[:-1]))
    candles = history.candles
    return Candles.from_fields(
        candles.open[starts],
        np.maximum.reduceat(candles.high, starts),
        np.minimum.reduceat(candles.low, starts),
        candles.close[np.append(starts[1:], len(candles)) - 1],
        np.add.reduceat(candles.volume, starts),
    )


def daily_share(history: History) -> float:
    """Mean true range of the bars / mean true range of the days they make up.

    The few hours of a Sunday count as a day of their own, as they do in daily charts cut at midnight UTC.
    """
    bars, days = (Indicators(c, len(c)).true_range() for c in (history.candles, daily(history)))
    return float(bars.mean() / days.mean())
