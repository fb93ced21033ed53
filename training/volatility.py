"""How much an hour moves compared with a day: the factor that scales rules for daily bars to hourly bars."""

from __future__ import annotations

import numpy as np

from core.features.candles import Candles
from core.features.indicators import Indicators
from lab.history import History


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
    """Mean true range of the bars, divided by the mean true range of the days that they form.

    The few hours of a Sunday count as a day of their own, as they do in daily charts cut at midnight UTC.
    """
    bars, days = (Indicators(c, len(c)).true_range() for c in (history.candles, daily(history)))
    return float(bars.mean() / days.mean())
