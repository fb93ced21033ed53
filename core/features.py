"""Feature names: what each computes, how far it looks back, and how many candles a detector therefore needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from core.candles import MAX_CANDLES, Candles, Floats
from core.indicators import Indicators

# Where an EMA starts, its first candle stands for all the past. A feature is settled once that candle's
# remaining weight in it is below this.
SEED_WEIGHT = 1e-3


class UnknownFeature(ValueError):
    """A name that is none of ours."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown feature {name!r}; known: {', '.join((*_FIXED, *(f'{f}_<n>' for f in _FAMILIES)))}")


class Feature(NamedTuple):
    """`compute(indicators, rows)` gives shape (rows,) and needs rows + look_back - 1 candles.

    `recursive`: depends, ever less, on all candles since the first.
    """

    look_back: int
    compute: Callable[[Indicators, int], Floats]
    recursive: bool = False


def _bollinger(sign: float) -> Callable[[Indicators, int], Floats]:
    return lambda i, rows: i.sma(20, rows) + sign * 2.0 * i.bollinger_std(rows)


def _width(i: Indicators, rows: int) -> Floats:
    return 4.0 * i.bollinger_std(rows)


def _macd_histogram(i: Indicators, rows: int) -> Floats:
    return i.macd()[-rows:] - i.macd_signal()[-rows:]


_FIXED = {
    "open": Feature(1, lambda i, rows: i.candles.open[-rows:]),
    "high": Feature(1, lambda i, rows: i.candles.high[-rows:]),
    "low": Feature(1, lambda i, rows: i.candles.low[-rows:]),
    "close": Feature(1, lambda i, rows: i.candles.close[-rows:]),
    "volume": Feature(1, lambda i, rows: i.candles.volume[-rows:]),
    "returns": Feature(2, lambda i, rows: i.returns()[-rows:]),
    "log_returns": Feature(2, lambda i, rows: i.log_returns(rows)),
    "macd": Feature(1, lambda i, rows: i.macd()[-rows:], recursive=True),
    "macd_signal": Feature(1, lambda i, rows: i.macd_signal()[-rows:], recursive=True),
    "macd_histogram": Feature(1, _macd_histogram, recursive=True),
    "macd_hist": Feature(1, _macd_histogram, recursive=True),
    "bb_middle": Feature(20, lambda i, rows: i.sma(20, rows)),
    "bb_upper": Feature(20, _bollinger(1.0)),
    "bb_lower": Feature(20, _bollinger(-1.0)),
    "bb_width": Feature(20, _width),
    "bb_upper_20": Feature(20, _bollinger(1.0)),
    "bb_lower_20": Feature(20, _bollinger(-1.0)),
    "bb_width_20": Feature(20, lambda i, rows: _width(i, rows) / i.sma(20, rows)),
    "atr_14": Feature(14, lambda i, rows: i.atr(14, rows)),
    "stoch_k": Feature(14, lambda i, rows: i.stoch_k(rows)),
    "stoch_d": Feature(16, lambda i, rows: i.stoch_d(rows)),
    "adx_14": Feature(27, lambda i, rows: i.adx(rows)),
    "volume_sma_20": Feature(20, lambda i, rows: i.volume_sma(rows)),
    "volume_ratio": Feature(20, lambda i, rows: i.volume_ratio(rows)),
}

_FAMILIES: dict[str, Callable[[int], Feature]] = {
    "sma": lambda n: Feature(n, lambda i, rows: i.sma(n, rows)),
    "ema": lambda n: Feature(1, lambda i, rows: i.ema(n)[-rows:], recursive=True),
    "rsi": lambda n: Feature(n, lambda i, rows: i.rsi(n, rows)),
    "momentum": lambda n: Feature(n + 1, lambda i, rows: i.momentum(n, rows)),
    "volatility": lambda n: Feature(n + 1, lambda i, rows: i.volatility(n, rows)),
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
    """The first bar (counted from 0) from which on the seed weighs less than SEED_WEIGHT; 0 where there is none.

    Recursive features are linear in close, so the seed's weight is the answer to a first close of 1 followed by 0.
    """
    if not feature(name).recursive:
        return 0
    bars = 4 * MAX_CANDLES  # the slowest that can be named, ema_2000, settles at bar 6,908
    impulse = np.zeros(bars)
    impulse[0] = 1.0
    weight = np.abs(feature(name).compute(Indicators(Candles(*[impulse] * 5)), bars))
    return int(np.flatnonzero(weight >= SEED_WEIGHT)[-1]) + 1


def matrix(indicators: Indicators, names: Sequence[str], rows: int) -> Floats:
    """The last `rows` bars of the named features, in their order: float64, shape (rows, len(names)).

    Needs required_candles(names, rows) candles. Overflow leaves infinities or NaN, for the caller to find.
    """
    out = np.empty((rows, len(names)))
    with np.errstate(all="ignore"):
        for column, name in enumerate(names):
            out[:, column] = feature(name).compute(indicators, rows)
    return out
