"""Feature names: what each computes, how far it looks back, and how many candles a detector therefore needs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.features.candles import MAX_CANDLES, Candles, Floats
from core.features.indicators import Indicators

# Where an EMA starts, its first candle stands for all the past. A feature is settled once that candle's
# remaining weight in it is below this.
SEED_WEIGHT = 1e-3
# Below this it is lost in a float64, however the candles may have moved: from there on nothing is computed.
NO_WEIGHT = 1e-24


class UnknownFeature(ValueError):
    """A name that is none of ours."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown feature {name!r}; known: {', '.join((*_FIXED, *(f'{f}_<n>' for f in _FAMILIES)))}")


class Feature(NamedTuple):
    """`compute(indicators)` gives shape (..., rows) and needs rows + look_back - 1 candles.

    slowest_ema: the period of the slowest EMA in it, 0 where there is none. Features that have one depend, ever less,
    on all candles since the first, and are linear in close.
    """

    look_back: int
    compute: Callable[[Indicators], Floats]
    slowest_ema: int = 0


def _bollinger(sign: float) -> Callable[[Indicators], Floats]:
    return lambda i: i.sma(20) + sign * 2.0 * i.bollinger_std()


def _width(i: Indicators) -> Floats:
    return 4.0 * i.bollinger_std()


def _macd_histogram(i: Indicators) -> Floats:
    return i.macd() - i.macd_signal()


_FIXED = {
    "open": Feature(1, lambda i: i.last(i.candles.open)),
    "high": Feature(1, lambda i: i.last(i.candles.high)),
    "low": Feature(1, lambda i: i.last(i.candles.low)),
    "close": Feature(1, lambda i: i.last(i.candles.close)),
    "volume": Feature(1, lambda i: i.last(i.candles.volume)),
    "returns": Feature(2, Indicators.returns),
    "log_returns": Feature(2, Indicators.log_returns),
    "macd": Feature(1, Indicators.macd, slowest_ema=26),
    "macd_signal": Feature(1, Indicators.macd_signal, slowest_ema=26),
    "macd_histogram": Feature(1, _macd_histogram, slowest_ema=26),
    "macd_hist": Feature(1, _macd_histogram, slowest_ema=26),
    "bb_middle": Feature(20, lambda i: i.sma(20)),
    "bb_upper": Feature(20, _bollinger(1.0)),
    "bb_lower": Feature(20, _bollinger(-1.0)),
    "bb_width": Feature(20, _width),
    "bb_upper_20": Feature(20, _bollinger(1.0)),
    "bb_lower_20": Feature(20, _bollinger(-1.0)),
    "bb_width_20": Feature(20, lambda i: _width(i) / i.sma(20)),
    "atr_14": Feature(14, Indicators.atr),
    "stoch_k": Feature(14, Indicators.stoch_k),
    "stoch_d": Feature(16, Indicators.stoch_d),
    "adx_14": Feature(27, Indicators.adx),
    "volume_sma_20": Feature(20, Indicators.volume_sma),
    "volume_ratio": Feature(20, Indicators.volume_ratio),
}

_FAMILIES: dict[str, Callable[[int], Feature]] = {
    "sma": lambda n: Feature(n, lambda i: i.sma(n)),
    "ema": lambda n: Feature(1, lambda i: i.ema(n), slowest_ema=n),
    "rsi": lambda n: Feature(n, lambda i: i.rsi(n)),
    "momentum": lambda n: Feature(n + 1, lambda i: i.momentum(n)),
    "volatility": lambda n: Feature(n + 1, lambda i: i.volatility(n)),
}
_FAMILY_NAME = re.compile(r"([a-z]+)_([1-9][0-9]{0,3})")


@lru_cache(maxsize=1024)
def feature(name: str) -> Feature:
    """Look a feature up by name; raises UnknownFeature."""
    if name in _FIXED:
        return _FIXED[name]
    match = _FAMILY_NAME.fullmatch(name)
    if match is None or match[1] not in _FAMILIES or int(match[2]) > MAX_CANDLES:
        raise UnknownFeature(name)
    if name == "volatility_1":  # one return has no sample deviation
        raise UnknownFeature(name)
    return _FAMILIES[match[1]](int(match[2]))


def required_candles(names: Sequence[str], sequence_length: int) -> int:
    """The fewest candles from which every feature of the window is defined."""
    return sequence_length + max(feature(name).look_back for name in names) - 1


def recommended_candles(names: Sequence[str], sequence_length: int) -> int:
    """The fewest candles from which the first one weighs less than SEED_WEIGHT in every feature of the window."""
    return max(required_candles(names, sequence_length), sequence_length + max(_settling_bar(name) for name in names))


@lru_cache(maxsize=1024)
def _settling_bar(name: str) -> int:
    """The first bar (counted from 0) from which on the seed weighs less than SEED_WEIGHT; 0 where there is none."""
    if not feature(name).slowest_ema:
        return 0
    impulse = np.zeros(_bars_until(SEED_WEIGHT / 1e3, feature(name).slowest_ema))
    impulse[0] = 1.0
    return int(np.flatnonzero(np.abs(_answer(name, impulse)) >= SEED_WEIGHT)[-1]) + 1


def _bars_until(weight: float, ema: int) -> int:
    """So many bars after it, a candle weighs less than that in an EMA: (1 - a)^bars < exp(-a * bars)."""
    return math.ceil(-math.log(weight) * (ema + 1) / 2.0)


def _answer(name: str, close: Floats) -> Floats:
    """A recursive feature over the whole of a series that has this close, shape (len(close),)."""
    return feature(name).compute(Indicators(Candles.from_fields(*[close] * 5), len(close)))


def matrix(candles: Candles, names: Sequence[str], rows: int) -> Floats:
    """The last `rows` bars of the named features of one series, in their order: float64, shape (rows, len(names)).

    Needs required_candles(names, rows) candles. Overflow leaves infinities or NaN, for the caller to find.
    """
    indicators = Indicators(candles, rows)
    with np.errstate(all="ignore"):
        return np.stack([feature(name).compute(indicators) for name in names], axis=1)


class Table:
    """Computes what `matrix` does, for many series of one length at once, and fast: for windows of `rows` bars.

    Features with an EMA in them are linear in close and do not depend on where in time they stand. So each is a
    convolution with its answer to an impulse, and one matrix product gives the windows of all of them.
    """

    def __init__(self, names: Iterable[str], rows: int) -> None:
        """`names`: what is computed, in any order, repetitions allowed."""
        distinct = dict.fromkeys(names)
        self._recursive = [name for name in distinct if feature(name).slowest_ema]
        self._others = [name for name in distinct if not feature(name).slowest_ema]
        self.names = (*self._recursive, *self._others)
        self._rows = rows
        # What a market that stands still at 1 answers: exactly 1 for a mean, exactly 0 for a difference of means.
        self._levels = np.array([_answer(name, np.ones(1))[0] for name in self._recursive])
        self._weights = np.empty((0, rows * len(self._recursive)))
        slowest = max((feature(name).slowest_ema for name in self.names), default=0)
        self._needed = max(
            required_candles(self.names, rows) + 1,  # the first bar's movements need the one before it
            rows + _bars_until(NO_WEIGHT, slowest) if slowest else 0,
        )
        self._computes = [feature(name).compute for name in self._others]

    def columns(self, names: Sequence[str]) -> NDArray[np.intp]:
        """Where these features stand in what `__call__` gives."""
        return np.array([self.names.index(name) for name in names])

    def __call__(self, series: Sequence[Candles]) -> Floats:
        """Float64, shape (len(series), rows, len(self.names)). The series are of one length, required_candles or more.

        Overflow leaves infinities or NaN; NumPy warns of it, unless the caller has told it not to.
        """
        candles = Candles.stacked(series, self._needed)
        out = np.empty((len(series), self._rows, len(self.names)))
        recursive = len(self._recursive)
        if recursive:
            # Relative to the first close, so that a market which stands still has exactly that mean, and so that the
            # first candle, which stands for all the past, need not be weighed.
            first = candles.close[:, :1]
            products = (candles.close - first) @ self._weights_of(len(candles))
            products = products.reshape(-1, self._rows, recursive)
            np.add(products, (first * self._levels)[:, None, :], out=out[..., :recursive])
        indicators = Indicators(candles, self._rows)
        for column, compute in enumerate(self._computes, recursive):
            out[..., column] = compute(indicators)
        return out

    def _weights_of(self, bars: int) -> Floats:
        """Shape (bars, rows * recursive): those of more bars end with those of fewer, so only the most are kept."""
        weights = self._weights
        if len(weights) < bars:
            longest = 1 << (bars - 1).bit_length()
            impulse = np.zeros(longest + 1)
            impulse[1] = 1.0  # not the first, which stands for all the past
            answers = np.stack([_answer(name, impulse)[1:] for name in self._recursive], axis=1)
            lag = np.arange(longest - self._rows, longest) - np.arange(longest)[:, None]
            weights = np.where((lag >= 0)[..., None], answers[np.abs(lag)], 0.0).reshape(longest, -1)
            self._weights = weights
        return weights[len(weights) - bars :]
