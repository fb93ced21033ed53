"""Indicators of candle series in float64, computed as in the training of the detectors.

Every rolling value is computed from a plain window of n bars, without Wilder smoothing. Running sums are not used: a
running sum of squares loses the standard deviation of a price that hardly moves.

All functions work on the last axis, so that many series of one length cost little more than one: they take shape
(..., n) and return (..., fewer bars). Nothing is padded: the caller passes enough bars (core.features.catalogue has the
numbers). An overflow is not reported here. It leaves an infinity or NaN in the result, and the caller that feeds a
network checks for those once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from itertools import accumulate
from typing import TypeVarTuple

import numpy as np

from core.features.candles import Candles, Floats

Ts = TypeVarTuple("Ts")

# The bars of ATR, ADX and the stochastic. RSI, ATR and ADX share their sums over so many bars.
_MOVEMENT_BARS = 14
_PLUS, _MINUS, _GAIN, _LOSS, _TRUE_RANGE = range(5)
_SIGNS = np.array([1.0, -1.0, 1.0])


def windows(x: Floats, n: int) -> Floats:
    """Return all windows of n bars, as a view: shape (..., m) gives (..., m - n + 1, n)."""
    bars = np.ascontiguousarray(x)
    # NumPy's sliding_window_view returns the same, but spends more time on checking its arguments.
    shape = (*bars.shape[:-1], bars.shape[-1] - n + 1, n)
    return np.ndarray(shape, np.float64, bars, strides=(*bars.strides, bars.itemsize))


def rolling_sum(x: Floats, n: int) -> Floats:
    """Sum each window of n bars independently, from sums of 1, 2, 4... bars: shape (..., m) gives (..., m - n + 1).

    The order of the additions is that of core/native/features.c. A product with a matrix of zeros and ones would leave
    it to the machine.
    """
    count = x.shape[-1] - n + 1
    total, offset, width = None, 0, 1
    while True:
        if n & width:
            part = x[..., offset : offset + count]
            total = part if total is None else total + part
            offset += width
        if 2 * width > n:
            break
        x = x[..., :-width] + x[..., width:]
        width *= 2
    assert total is not None  # noqa: S101 - n is at least 1
    return total


def rolling_mean(x: Floats, n: int) -> Floats:
    """Mean of each window of n bars: shape (..., m) gives (..., m - n + 1)."""
    return rolling_sum(x, n) / n


def rolling_std(x: Floats, n: int, mean: Floats) -> Floats:
    """Sample standard deviation (n - 1) of each window of n bars, around its `mean`, in two passes."""
    bars = np.ascontiguousarray(x)
    shape = (*bars.shape[:-1], n, bars.shape[-1] - n + 1)
    aged = np.ndarray(shape, np.float64, bars, strides=(*bars.strides, bars.itemsize))
    # In this layout the squares of a window are added one after the other, as core/native/features.c does.
    deviation = np.subtract(aged, mean[..., None, :], out=np.empty(shape))
    std: Floats = np.sqrt(np.add.reduce(np.multiply(deviation, deviation, out=deviation), axis=-2) / (n - 1))
    return std


def rolling_max(x: Floats, n: int) -> Floats:
    """Maximum of each window of n bars, from windows of 2, 4, 8... bars: shape (..., m) gives (..., m - n + 1)."""
    width = 1
    while 2 * width <= n:
        x = np.maximum(x[..., :-width], x[..., width:])
        width *= 2
    rest = n - width
    return np.maximum(x[..., :-rest], x[..., rest:]) if rest else x


def ratio(numerator: Floats, denominator: Floats, otherwise: float) -> Floats:
    """Divide; the result is `otherwise` where the denominator is 0. NaN in either operand stays NaN."""
    found = numerator / denominator
    found[denominator == 0.0] = otherwise
    return found


def ema(x: Floats, n: int) -> Floats:
    """Exponential mean of one series from its start: e0 = x0, then a*x + (1 - a)*e, a = 2 / (n + 1). Shape (m,).

    This is the definition, in slow plain Python. Requests are served by a faster method that is derived from it
    (core.features.table.Table).
    """
    alpha = 2.0 / (n + 1)
    # In this form, the mean of equal values is exactly that value.
    return np.array(list(accumulate(x.tolist(), lambda mean, value: mean + alpha * (value - mean))))


def once(method: Callable[[Indicators, *Ts], Floats]) -> Callable[[Indicators, *Ts], Floats]:
    """Cache the result of a method by its arguments, because features share intermediate results."""

    @wraps(method)
    def cached(self: Indicators, *args: *Ts) -> Floats:
        key = (method, args)
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = method(self, *args)
        return found

    return cached


class Indicators:
    """The indicators of the last `rows` bars, shape (..., rows). Each is computed on its first use and cached.

    docs/indicators.md specifies the formulas. EMAs, and indicators made of them, work for a single series only.
    """

    def __init__(self, candles: Candles, rows: int) -> None:
        self.candles = candles
        self.rows = rows
        self._memo: dict[object, Floats] = {}

    def last(self, x: Floats, before: int = 0) -> Floats:
        """Return the last `rows` bars of x, and `before` further bars before them."""
        return x[..., x.shape[-1] - self.rows - before :]

    @once
    def sma(self, n: int) -> Floats:
        """Mean of close over n bars."""
        return rolling_mean(self.last(self.candles.close, n - 1), n)

    @once
    def _ema(self, n: int) -> Floats:
        return ema(self.candles.close, n)

    def ema(self, n: int) -> Floats:
        """EMA of close over the whole series."""
        return self.last(self._ema(n))

    @once
    def _macd(self) -> Floats:
        return self._ema(12) - self._ema(26)

    def macd(self) -> Floats:
        """ema_12 - ema_26."""
        return self.last(self._macd())

    @once
    def macd_signal(self) -> Floats:
        """EMA 9 of macd, from its first value."""
        return self.last(ema(self._macd(), 9))

    @once
    def bollinger_std(self) -> Floats:
        """Sample standard deviation of close over 20 bars."""
        return rolling_std(self.last(self.candles.close, 19), 20, self.sma(20))

    def _mirrored(self, bars: int) -> Floats:
        """High, -low and close of the last bars, shape (3, ..., bars). With -low, a falling low is a rising value."""
        values = self.candles.values[1:4, ..., -bars:]
        mirrored: Floats = values * _SIGNS.reshape(3, *[1] * (values.ndim - 1))
        return mirrored

    def _movements(self, bars: int) -> Floats:
        """+DM, -DM, gains of close, losses of close and true range of the last bars: shape (5, ..., bars)."""
        if bars < len(self.candles):
            values = self._mirrored(bars + 1)
        else:
            values = self._mirrored(bars)
            # The first bar serves as its own predecessor, so that it has no movement and a true range of high - low.
            values = np.concatenate((values[..., :1], values), axis=-1)
        here, before = values[..., 1:], values[..., :-1]
        change = here - before
        found = np.empty((5, *change.shape[1:]))
        np.maximum(change, 0.0, out=found[:3])
        np.subtract(found[_GAIN], change[2], out=found[_LOSS])
        # The true range is max(h, c') - min(l, c'). A difference to c' is the largest only if c' lies outside the bar.
        top, bottom = np.maximum(here[0], before[2]), np.maximum(here[1], -before[2])
        np.add(top, bottom, out=found[_TRUE_RANGE])
        # Only the larger of the two moves counts. If they are equal, neither counts.
        moves = found[:2]
        np.putmask(moves, moves <= moves[::-1], 0.0)
        return found

    @once
    def _movement_sums(self) -> Floats:
        """Sums of the movements over 14 bars, for the bars that ADX needs, or for all bars if there are fewer."""
        bars = min(len(self.candles), self.rows + 2 * (_MOVEMENT_BARS - 1))
        return rolling_sum(self._movements(bars), _MOVEMENT_BARS)

    def rsi(self, n: int) -> Floats:
        """100 - 100 / (1 + G/L); G and L are plain means of gains and losses. L = 0 gives 100, G = L = 0 gives 50."""
        if n == _MOVEMENT_BARS:
            sums = self.last(self._movement_sums())
        else:
            sums = rolling_sum(self._movements(self.rows + n - 1), n)
        gain, loss = sums[_GAIN], sums[_LOSS]
        # 100 * G / (G + L) is the same function, but has one division, and no infinity if only L is 0.
        return ratio(100.0 * gain, gain + loss, otherwise=50.0)

    def true_range(self) -> Floats:
        """max(h - l, |h - previous close|, |l - previous close|); h - l for the first bar."""
        true_range: Floats = self._movements(self.rows)[_TRUE_RANGE]
        return true_range

    def atr(self) -> Floats:
        """Mean of the true range over 14 bars."""
        return self.last(self._movement_sums()[_TRUE_RANGE]) / _MOVEMENT_BARS

    def adx(self) -> Floats:
        """Mean of DX over 14 bars, with +DI and -DI as plain means over 14 bars.

        If ATR is 0, +DI and -DI are 0. If +DI and -DI are 0, DX is 0.
        """
        sums = self._movement_sums()
        plus, minus = sums[_PLUS], sums[_MINUS]
        # DX = 100 * |+DI - -DI| / (+DI + -DI), in which the division by ATR cancels. If ATR is 0, each bar consists of
        # one price, the previous close. High has not risen and low has not fallen then, so both sums are 0 anyway.
        dx = ratio(np.abs(plus - minus), plus + minus, otherwise=0.0)
        return rolling_sum(dx, _MOVEMENT_BARS) * (100.0 / _MOVEMENT_BARS)

    @once
    def extremes(self, rows: int, n: int) -> Floats:
        """The highest high and the negated lowest low over n bars, for the last `rows` bars: shape (2, ..., rows)."""
        return rolling_max(self._mirrored(rows + n - 1)[:2], n)

    def _stochastic(self, rows: int, n: int) -> Floats:
        highest, lowest = self.extremes(rows, n)  # lowest is negated
        return ratio(100.0 * (self.candles.close[..., -rows:] + lowest), highest + lowest, otherwise=50.0)

    def stoch_k(self, n: int = _MOVEMENT_BARS) -> Floats:
        """100 * (close - lowest low) / (highest high - lowest low) over n bars; 50 where both extremes are equal."""
        return self._stochastic(self.rows, n)

    def stoch_d(self, n: int = _MOVEMENT_BARS) -> Floats:
        """Mean of stoch_k over 3 bars."""
        return rolling_mean(self._stochastic(self.rows + 2, n), 3)

    @once
    def last_returns(self, bars: int) -> Floats:
        """c / previous c - 1, of the last `bars` bars."""
        close = self.candles.close
        return close[..., -bars:] / close[..., -bars - 1 : -1] - 1.0

    def returns(self) -> Floats:
        """c / previous c - 1."""
        return self.last_returns(self.rows)

    def log_returns(self) -> Floats:
        """ln(c / previous c)."""
        close = self.candles.close
        return np.log(close[..., -self.rows :] / close[..., -self.rows - 1 : -1])

    def momentum(self, n: int) -> Floats:
        """c / (c of n bars ago) - 1."""
        close = self.candles.close
        return close[..., -self.rows :] / close[..., -self.rows - n : -n] - 1.0

    def volatility(self, n: int) -> Floats:
        """Sample standard deviation of returns over n bars."""
        returns = self.last_returns(self.rows + n - 1)
        return rolling_std(returns, n, rolling_mean(returns, n))

    @once
    def volume_sma(self) -> Floats:
        """Mean of volume over 20 bars."""
        return rolling_mean(self.last(self.candles.volume, 19), 20)

    def volume_ratio(self) -> Floats:
        """volume / volume_sma_20; 0 where volume_sma_20 is 0."""
        return ratio(self.last(self.candles.volume), self.volume_sma(), otherwise=0.0)
