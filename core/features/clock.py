"""Features of a candle's own time: its opening time in UTC. docs/indicators.md specifies the formulas."""

from __future__ import annotations

import numpy as np

from core.features.candles import Floats
from core.features.indicators import Indicators, once

# In milliseconds, as the times are: the remainders of whole milliseconds are exact, in any year.
_HOUR = 3_600_000.0
_DAY, _WEEK = 24.0 * _HOUR, 168.0 * _HOUR
# 1970 began on a Thursday, so long after Monday 00:00.
_FIRST = 3.0 * _DAY
_TURN = 2.0 * np.pi


@once
def _week(i: Indicators) -> Floats:
    """Time since Monday 00:00."""
    times = i.candles.times
    if times is None:
        raise ValueError("features of the candles' own time need candles with times")
    week: Floats = np.mod(i.last(np.asarray(times, np.float64)) + _FIRST, _WEEK)
    return week


@once
def hour(i: Indicators) -> Floats:
    """Hours since 00:00, with minutes as a fraction: from 0 to less than 24."""
    return np.mod(_week(i), _DAY) / _HOUR


def weekday(i: Indicators) -> Floats:
    """0 for Monday, 6 for Sunday."""
    return np.floor(_week(i) / _DAY)


def hour_sin(i: Indicators) -> Floats:
    """sin(2 pi hour / 24)."""
    return np.sin(hour(i) * (_TURN * _HOUR / _DAY))


def hour_cos(i: Indicators) -> Floats:
    """cos(2 pi hour / 24)."""
    return np.cos(hour(i) * (_TURN * _HOUR / _DAY))


def week_sin(i: Indicators) -> Floats:
    """sin(2 pi h / 168), h the hours since Monday 00:00."""
    return np.sin(_week(i) * (_TURN / _WEEK))


def week_cos(i: Indicators) -> Floats:
    """cos(2 pi h / 168), h the hours since Monday 00:00."""
    return np.cos(_week(i) * (_TURN / _WEEK))
