"""Indicators of a candle series, in float64, as the detectors were trained on.

Every rolling figure is a plain window of n bars: nothing is Wilder-smoothed, and nothing is a running sum,
because a running sum of squares loses the standard deviation of a price that hardly moves.

Methods take `rows`, the number of last bars wanted, and return shape (rows,). The caller sees to it that the
series has rows + look-back - 1 candles (core.features knows the look-backs); there is no padding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar, TypeVarTuple, cast

import numpy as np

from core.candles import Candles, Floats

Ts = TypeVarTuple("Ts")
T = TypeVar("T")

# An EMA runs as one matrix product over blocks of this many bars, and a scalar step from block to block: at 120
# candles that is two steps instead of 120. The kernel is BLOCK x BLOCK, so its cost grows with the square.
BLOCK = 64


def windows(x: Floats, n: int, rows: int) -> Floats:
    """Shape (rows, n): the last `rows` windows of n bars, as a view."""
    tail = x[len(x) - rows - n + 1 :]
    # numpy's sliding_window_view checks its arguments at length before it does the same.
    return np.ndarray((rows, n), np.float64, tail, strides=(x.itemsize, x.itemsize))


def rolling_mean(x: Floats, n: int, rows: int) -> Floats:
    """Mean over the last n bars, for the last `rows` bars."""
    mean: Floats = np.add.reduce(windows(x, n, rows), axis=1) / n
    return mean


def rolling_std(x: Floats, n: int, rows: int) -> Floats:
    """Sample standard deviation (n - 1) over the last n bars, in two passes, for the last `rows` bars."""
    view = windows(x, n, rows)
    deviation = view - (np.add.reduce(view, axis=1) / n)[:, None]
    std: Floats = np.sqrt(np.einsum("ij,ij->i", deviation, deviation) / (n - 1))
    return std


def ratio(numerator: Floats, denominator: Floats, otherwise: float) -> Floats:
    """numerator / denominator; `otherwise` where the denominator is 0. NaN in either stays NaN."""
    out = np.full(len(numerator), otherwise)
    np.divide(numerator, denominator, out=out, where=denominator != 0.0)
    return out


@lru_cache(maxsize=256)
def _ema_kernel(n: int) -> tuple[Floats, Floats]:
    """The block's own part, shape (BLOCK, BLOCK), and the weights of the state before it, shape (BLOCK,)."""
    alpha = 2.0 / (n + 1)
    powers: Floats = (1.0 - alpha) ** np.arange(BLOCK + 1, dtype=np.float64)
    lag = np.arange(BLOCK)[None, :] - np.arange(BLOCK)[:, None]
    kernel = np.where(lag >= 0, alpha * powers[np.abs(lag)], 0.0)
    return kernel, powers[1:]


def ema(x: Floats, n: int) -> Floats:
    """Exponential mean of the whole series, shape (len(x),): e0 = x0, then a*x + (1 - a)*e, a = 2 / (n + 1)."""
    kernel, decay = _ema_kernel(n)
    blocks = -(-len(x) // BLOCK)
    # Relative to the first value: a series that does not move then has exactly that mean, and EMAs differ by 0.
    moves = np.zeros(blocks * BLOCK)
    np.subtract(x, x[0], out=moves[: len(x)])
    out: Floats = moves.reshape(blocks, BLOCK) @ kernel
    before = np.zeros((blocks, 1))
    for i in range(1, blocks):
        before[i] = out[i - 1, -1] + decay[-1] * before[i - 1]
    out += before * decay
    mean: Floats = out.reshape(-1)[: len(x)] + x[0]
    return mean


def _once(method: Callable[[Indicators, *Ts], T]) -> Callable[[Indicators, *Ts], T]:
    """Compute once per series and arguments: features share each other's parts, and so do stages and versions."""
    name = method.__name__

    @wraps(method)
    def remembered(self: Indicators, *args: *Ts) -> T:
        key = (name, *args)
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = method(self, *args)
        return cast("T", found)

    return cast("Callable[[Indicators, *Ts], T]", remembered)


class Indicators:
    """The indicators of one series, computed when asked for and kept.

    Formulas are those of the product's contract (docs/indicators.md). Overflow is not reported here: it leaves
    an infinity or NaN in the result, and whoever feeds a network checks for that once, at the end.
    """

    def __init__(self, candles: Candles) -> None:
        self.candles = candles
        self._memo: dict[tuple[object, ...], object] = {}

    @_once
    def sma(self, n: int, rows: int) -> Floats:
        """Mean of close."""
        return rolling_mean(self.candles.close, n, rows)

    @_once
    def ema(self, n: int) -> Floats:
        """EMA of close over the whole series."""
        return ema(self.candles.close, n)

    @_once
    def macd(self) -> Floats:
        """ema_12 - ema_26 over the whole series."""
        return self.ema(12) - self.ema(26)

    @_once
    def macd_signal(self) -> Floats:
        """EMA 9 of macd, from its first value."""
        return ema(self.macd(), 9)

    @_once
    def _changes(self) -> tuple[Floats, Floats]:
        """Gains and losses of close against the bar before; 0 for the first bar."""
        close = self.candles.close
        change = np.zeros(len(close))
        np.subtract(close[1:], close[:-1], out=change[1:])
        return np.maximum(change, 0.0), np.maximum(-change, 0.0)

    @_once
    def rsi(self, n: int, rows: int) -> Floats:
        """100 - 100 / (1 + G/L), G and L plain means of gains and losses; L = 0 gives 100, G = L = 0 gives 50."""
        gains, losses = self._changes()
        gain = rolling_mean(gains, n, rows)
        loss = rolling_mean(losses, n, rows)
        # 100 * G / (G + L) is the same function, with one division and no infinity where only L is 0.
        return ratio(100.0 * gain, gain + loss, otherwise=50.0)

    @_once
    def bollinger_std(self, rows: int) -> Floats:
        """Sample standard deviation of close over 20 bars."""
        return rolling_std(self.candles.close, 20, rows)

    @_once
    def true_range(self) -> Floats:
        """max(h - l, |h - previous close|, |l - previous close|); h - l for the first bar."""
        high, low, close = self.candles.high, self.candles.low, self.candles.close
        # max(h, c') - min(l, c') is that maximum: both differences to c' matter only where c' lies outside the bar.
        top, bottom = high.copy(), low.copy()
        np.maximum(high[1:], close[:-1], out=top[1:])
        np.minimum(low[1:], close[:-1], out=bottom[1:])
        return top - bottom

    @_once
    def atr(self, n: int, rows: int) -> Floats:
        """Mean of the true range."""
        return rolling_mean(self.true_range(), n, rows)

    @_once
    def stoch_k(self, rows: int) -> Floats:
        """100 * (close - lowest low) / (highest high - lowest low) over 14 bars; 50 where they are equal."""
        high, low, close = self.candles.high, self.candles.low, self.candles.close
        highest = np.maximum.reduce(windows(high, 14, rows), axis=1)
        lowest = np.minimum.reduce(windows(low, 14, rows), axis=1)
        return ratio(100.0 * (close[-rows:] - lowest), highest - lowest, otherwise=50.0)

    def stoch_d(self, rows: int) -> Floats:
        """Mean of stoch_k over 3 bars."""
        return rolling_mean(self.stoch_k(rows + 2), 3, rows)

    @_once
    def _directional_moves(self) -> tuple[Floats, Floats]:
        """+DM and -DM: the larger of the two moves where it is positive, else 0; equal moves and the first bar 0."""
        high, low = self.candles.high, self.candles.low
        up, down = np.zeros(len(high)), np.zeros(len(high))
        np.subtract(high[1:], high[:-1], out=up[1:])
        np.subtract(low[:-1], low[1:], out=down[1:])
        return np.maximum(up, 0.0) * (up > down), np.maximum(down, 0.0) * (down > up)

    @_once
    def adx(self, rows: int) -> Floats:
        """Mean over 14 bars of DX; +DI and -DI are plain means over 14 bars too. atr 0: both DI 0. 0/0 in DX: 0."""
        n = 14
        span = rows + n - 1
        atr = self.atr(n, span)
        plus, minus = (
            ratio(100.0 * rolling_mean(move, n, span), atr, otherwise=0.0) for move in self._directional_moves()
        )
        return rolling_mean(ratio(100.0 * np.abs(plus - minus), plus + minus, otherwise=0.0), n, rows)

    @_once
    def returns(self) -> Floats:
        """c / previous c - 1, one shorter than the series."""
        close = self.candles.close
        return close[1:] / close[:-1] - 1.0

    def log_returns(self, rows: int) -> Floats:
        """ln(c / previous c)."""
        close = self.candles.close
        return np.log(close[-rows:] / close[-rows - 1 : -1])

    def momentum(self, n: int, rows: int) -> Floats:
        """c / (c of n bars ago) - 1."""
        close = self.candles.close
        return close[-rows:] / close[-rows - n : -n] - 1.0

    def volatility(self, n: int, rows: int) -> Floats:
        """Sample standard deviation of returns."""
        return rolling_std(self.returns(), n, rows)

    @_once
    def volume_sma(self, rows: int) -> Floats:
        """Mean of volume over 20 bars."""
        return rolling_mean(self.candles.volume, 20, rows)

    def volume_ratio(self, rows: int) -> Floats:
        """volume / volume_sma_20; 0 where that is 0."""
        return ratio(self.candles.volume[-rows:], self.volume_sma(rows), otherwise=0.0)
