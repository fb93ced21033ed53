"""Features that do not depend on the unit of the price: in ATR, or ratios. docs/indicators.md specifies the formulas.

Prices are subtracted from each other before anything else is done with them. A mean of prices has a rounding error in
the size of the price, which can be larger than the ATR that the distance to the mean is divided by.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from core.features.candles import Floats
from core.features.indicators import Indicators, once, ratio, rolling_mean, rolling_sum, windows

_ATR_BARS = 14
# The look-back of a value that is divided by atr_14. The bar before the 14 bars is included, so that each true range
# has its previous close, and the value does not depend on where the series begins.
UNIT_BARS = _ATR_BARS + 1
BAND_BARS = 20
# The bands are so many standard deviations away from the mean.
_BAND = 2.0


@once
def _true_ranges(i: Indicators, n: int) -> Floats:
    """True ranges of the last rows + n - 1 bars. The first bar of the series is its own predecessor."""
    bars, close = i.rows + n - 1, i.candles.close
    before = close[..., -bars - 1 : -1]
    if len(i.candles) == bars:
        before = np.concatenate((close[..., :1], before), axis=-1)
    top, bottom = np.maximum(i.candles.high[..., -bars:], before), np.minimum(i.candles.low[..., -bars:], before)
    return top - bottom


@once
def atr(i: Indicators, n: int) -> Floats:
    """Mean of the true range over n bars."""
    return rolling_mean(_true_ranges(i, n), n)


@once
def _unit(i: Indicators) -> Floats:
    """atr_14, and infinity where it is 0: what is divided by it then is 0."""
    found = atr(i, _ATR_BARS)
    return np.where(found == 0.0, np.inf, found)


@once
def _changes(i: Indicators, n: int) -> Floats:
    """Changes of close from bar to bar, of the last rows + n - 1 bars."""
    close, bars = i.candles.close, i.rows + n - 1
    changes: Floats = close[..., -bars:] - close[..., -bars - 1 : -1]
    return changes


def true_range(i: Indicators) -> Floats:
    """True range / atr_14."""
    return i.last(_true_ranges(i, _ATR_BARS)) / _unit(i)


def body(i: Indicators) -> Floats:
    """(close - open) / atr_14."""
    return i.last(i.candles.close - i.candles.open) / _unit(i)


def upper_wick(i: Indicators) -> Floats:
    """(high - max(open, close)) / atr_14."""
    return i.last(i.candles.high - np.maximum(i.candles.open, i.candles.close)) / _unit(i)


def lower_wick(i: Indicators) -> Floats:
    """(min(open, close) - low) / atr_14."""
    return i.last(np.minimum(i.candles.open, i.candles.close) - i.candles.low) / _unit(i)


def gap(i: Indicators) -> Floats:
    """(open - previous close) / atr_14."""
    rows = i.rows
    return (i.candles.open[..., -rows:] - i.candles.close[..., -rows - 1 : -1]) / _unit(i)


def _move(i: Indicators, n: int) -> Floats:
    close, rows = i.candles.close, i.rows
    move: Floats = close[..., -rows:] - close[..., -rows - n : -n]
    return move


def move(i: Indicators, n: int) -> Floats:
    """(close - close of n bars ago) / atr_14."""
    return _move(i, n) / _unit(i)


def range_(i: Indicators, n: int) -> Floats:
    """(highest high - lowest low over n bars) / atr_14."""
    highest, lowest = i.extremes(i.rows, n)  # lowest is negated
    found: Floats = (highest + lowest) / _unit(i)
    return found


@lru_cache(maxsize=64)
def _ramp(n: int) -> Floats:
    """1/n, 2/n ... (n-1)/n."""
    ramp: Floats = np.arange(1.0, n) / n
    return ramp


@once
def _above_mean(i: Indicators, n: int) -> Floats:
    """close - sma_n, from the changes of close: the oldest one in the window has moved only one of the n closes."""
    above: Floats = np.vecdot(windows(_changes(i, n - 1), n - 1), _ramp(n))
    return above


def sma_distance(i: Indicators, n: int) -> Floats:
    """(close - sma_n) / atr_14."""
    return _above_mean(i, n) / _unit(i)


@once
def _deviation(i: Indicators) -> Floats:
    """Sample standard deviation of close over 20 bars; exactly 0 for equal closes."""
    close = i.candles.close
    each = (
        windows(i.last(close, BAND_BARS - 1), BAND_BARS)
        - i.last(close)[..., None]
        + _above_mean(i, BAND_BARS)[..., None]
    )
    deviation: Floats = np.sqrt(np.vecdot(each, each) / (BAND_BARS - 1))
    return deviation


def bb_position(i: Indicators) -> Floats:
    """(close - sma_20) / (2 standard deviations): 1 at the upper band, -1 at the lower one; 0 for equal closes."""
    return ratio(_above_mean(i, BAND_BARS), _BAND * _deviation(i), otherwise=0.0)


def bb_upper_distance(i: Indicators) -> Floats:
    """(close - bb_upper) / atr_14."""
    return (_above_mean(i, BAND_BARS) - _BAND * _deviation(i)) / _unit(i)


def bb_lower_distance(i: Indicators) -> Floats:
    """(close - bb_lower) / atr_14."""
    return (_above_mean(i, BAND_BARS) + _BAND * _deviation(i)) / _unit(i)


def atr_relative(i: Indicators, n: int) -> Floats:
    """atr_n / close."""
    return atr(i, n) / i.last(i.candles.close)


def atr_ratio(i: Indicators, a: int, b: int) -> Floats:
    """atr_a / atr_b; 0 where atr_b is 0."""
    return ratio(atr(i, a), atr(i, b), otherwise=0.0)


def _volatility(i: Indicators, n: int) -> Floats:
    """As Indicators.volatility, but exactly 0 for equal returns."""
    returns = i.last_returns(i.rows + n - 1)
    each = windows(returns, n) - i.last(returns)[..., None]
    each -= (np.add.reduce(each, axis=-1) / n)[..., None]
    volatility: Floats = np.sqrt(np.vecdot(each, each) / (n - 1))
    return volatility


def volatility_ratio(i: Indicators, a: int, b: int) -> Floats:
    """volatility_a / volatility_b; 0 where volatility_b is 0."""
    return ratio(_volatility(i, a), _volatility(i, b), otherwise=0.0)


def close_position(i: Indicators) -> Floats:
    """(close - low) / (high - low); 0.5 for a bar of one price."""
    low = i.last(i.candles.low)
    return ratio(i.last(i.candles.close) - low, i.last(i.candles.high) - low, otherwise=0.5)


def efficiency(i: Indicators, n: int) -> Floats:
    """|close - close of n bars ago| / sum of |changes of close| over n bars; 0 for equal closes."""
    return ratio(np.abs(_move(i, n)), rolling_sum(np.abs(_changes(i, n)), n), otherwise=0.0)
