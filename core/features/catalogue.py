"""Feature names: what each computes, its look-back, and how many candles a detector needs because of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from core.features import clock, scale_free
from core.features.candles import MAX_CANDLES, Candles, Floats
from core.features.indicators import Indicators
from core.features.scale_free import UNIT_BARS

# An EMA starts at its first candle, which therefore represents all earlier ones. A feature has settled when the weight
# of that candle in it is below this.
SEED_WEIGHT = 1e-3


class UnknownFeature(ValueError):
    """The name is not in the catalogue. why: what is wrong with a name that is nearly one of the catalogue."""

    def __init__(self, name: str, why: str | None = None) -> None:
        known = f"; known: {', '.join((*FIXED, *FAMILIES))}"
        super().__init__(f"unknown feature {name!r}{known if why is None else f': {why}'}")


class Feature(NamedTuple):
    """How to compute one feature. `compute(indicators)` returns shape (..., rows) from rows + look_back - 1 candles.

    slowest_ema: the period of the slowest EMA in the feature, 0 if it has none. A feature with an EMA is linear in
    close and depends on every candle since the first, on older ones less and less.

    needs_times: the candles must have times.
    """

    look_back: int
    compute: Callable[[Indicators], Floats]
    slowest_ema: int = 0
    needs_times: bool = False


def _field(row: int) -> Callable[[Indicators], Floats]:
    """Compute one field of the candles, by its row in Candles.values."""
    return lambda i: i.candles.values[row, ..., -i.rows :]


def _bollinger(sign: float) -> Callable[[Indicators], Floats]:
    return lambda i: i.sma(20) + sign * 2.0 * i.bollinger_std()


def _width(i: Indicators) -> Floats:
    return 4.0 * i.bollinger_std()


def _macd_histogram(i: Indicators) -> Floats:
    return i.macd() - i.macd_signal()


FIXED = {
    "open": Feature(1, _field(0)),
    "high": Feature(1, _field(1)),
    "low": Feature(1, _field(2)),
    "close": Feature(1, _field(3)),
    "volume": Feature(1, _field(4)),
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
    "true_range_atr": Feature(UNIT_BARS, scale_free.true_range),
    "body_atr": Feature(UNIT_BARS, scale_free.body),
    "upper_wick_atr": Feature(UNIT_BARS, scale_free.upper_wick),
    "lower_wick_atr": Feature(UNIT_BARS, scale_free.lower_wick),
    "gap_atr": Feature(UNIT_BARS, scale_free.gap),
    "close_position": Feature(1, scale_free.close_position),
    "bb_position": Feature(scale_free.BAND_BARS, scale_free.bb_position),
    "bb_upper_distance": Feature(scale_free.BAND_BARS, scale_free.bb_upper_distance),
    "bb_lower_distance": Feature(scale_free.BAND_BARS, scale_free.bb_lower_distance),
    "hour": Feature(1, clock.hour, needs_times=True),
    "weekday": Feature(1, clock.weekday, needs_times=True),
    "hour_sin": Feature(1, clock.hour_sin, needs_times=True),
    "hour_cos": Feature(1, clock.hour_cos, needs_times=True),
    "week_sin": Feature(1, clock.week_sin, needs_times=True),
    "week_cos": Feature(1, clock.week_cos, needs_times=True),
}


class Family(NamedTuple):
    """Features whose names have numbers of bars in them. least: the smallest number that makes sense."""

    of: Callable[..., Feature]
    least: int = 1


def _ratio(compute: Callable[[Indicators, int, int], Floats]) -> Callable[[int, int], Feature]:
    return lambda a, b: Feature(b + 1, lambda i: compute(i, a, b))


# By the form of their names. Two numbers of bars are in ascending order.
FAMILIES = {
    "sma_<n>": Family(lambda n: Feature(n, lambda i: i.sma(n))),
    "ema_<n>": Family(lambda n: Feature(1, lambda i: i.ema(n), slowest_ema=n)),
    "rsi_<n>": Family(lambda n: Feature(n, lambda i: i.rsi(n))),
    "momentum_<n>": Family(lambda n: Feature(n + 1, lambda i: i.momentum(n))),
    # A single return has no sample standard deviation.
    "volatility_<n>": Family(lambda n: Feature(n + 1, lambda i: i.volatility(n)), least=2),
    "atr_<n>": Family(lambda n: Feature(n, lambda i: scale_free.atr(i, n))),
    "stoch_k_<n>": Family(lambda n: Feature(n, lambda i: i.stoch_k(n)), least=2),
    "stoch_d_<n>": Family(lambda n: Feature(n + 2, lambda i: i.stoch_d(n)), least=2),
    "move_<n>_atr": Family(lambda n: Feature(max(n + 1, UNIT_BARS), lambda i: scale_free.move(i, n))),
    "range_<n>_atr": Family(lambda n: Feature(max(n, UNIT_BARS), lambda i: scale_free.range_(i, n))),
    "sma_<n>_distance": Family(lambda n: Feature(max(n, UNIT_BARS), lambda i: scale_free.sma_distance(i, n)), least=2),
    "atr_<n>_relative": Family(lambda n: Feature(n + 1, lambda i: scale_free.atr_relative(i, n))),
    "atr_ratio_<a>_<b>": Family(_ratio(scale_free.atr_ratio), least=2),
    "volatility_ratio_<a>_<b>": Family(_ratio(scale_free.volatility_ratio), least=2),
    "efficiency_<n>": Family(lambda n: Feature(n + 1, lambda i: scale_free.efficiency(i, n)), least=2),
}
_NUMBER = re.compile(r"(?<=_)(?:0|[1-9][0-9]{0,8})(?=_|\Z)")
# They would be second names of features that are older than their families.
_TWICE = {"stoch_k_14": "stoch_k", "stoch_d_14": "stoch_d"}


@lru_cache(maxsize=1024)
def feature(name: str) -> Feature:
    """Look a feature up by its name. Raises UnknownFeature."""
    if name in FIXED:
        return FIXED[name]
    bars = [int(digits) for digits in _NUMBER.findall(name)]
    letters = iter("n" if len(bars) == 1 else "ab")
    form = _NUMBER.sub(lambda _: f"<{next(letters, '')}>", name)
    family = None if "<" in name else FAMILIES.get(form)
    if family is None:
        raise UnknownFeature(name)
    if name in _TWICE:
        raise UnknownFeature(name, f"its name is {_TWICE[name]}")
    if not all(family.least <= n <= MAX_CANDLES for n in bars):
        raise UnknownFeature(name, f"the bars of {form} must be from {family.least} to {MAX_CANDLES}")
    if bars != sorted(set(bars)):
        raise UnknownFeature(name, f"in {form}, a must be less than b")
    return family.of(*bars)


def is_known(name: str) -> bool:
    """Whether there is a feature of this name."""
    try:
        feature(name)
    except UnknownFeature:
        return False
    return True


def needing_times(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the names that can be computed only for candles with times."""
    return tuple(name for name in names if feature(name).needs_times)


def required_candles(names: Sequence[str], sequence_length: int) -> int:
    """Return the minimum number of candles with which every feature of the window is defined."""
    return sequence_length + max(feature(name).look_back for name in names) - 1


def recommended_candles(names: Sequence[str], sequence_length: int) -> int:
    """Return the minimum number of candles with which the first one weighs less than SEED_WEIGHT in every feature."""
    return max(required_candles(names, sequence_length), sequence_length + max(_settling_bar(name) for name in names))


@lru_cache(maxsize=1024)
def _settling_bar(name: str) -> int:
    """The first bar, counted from 0, from which on the first candle weighs less than SEED_WEIGHT; 0 without an EMA."""
    if not feature(name).slowest_ema:
        return 0
    impulse = np.zeros(bars_until(SEED_WEIGHT / 1e3, feature(name).slowest_ema))
    impulse[0] = 1.0
    return int(np.flatnonzero(np.abs(response(name, impulse)) >= SEED_WEIGHT)[-1]) + 1


def bars_until(weight: float, ema: int) -> int:
    """Return after how many bars a candle weighs less than `weight` in an EMA of period `ema`.

    The result is rounded up to be safe: (1 - a)^bars < exp(-a * bars), with a = 2 / (ema + 1).
    """
    return math.ceil(-math.log(weight) * (ema + 1) / 2.0)


def response(name: str, close: Floats) -> Floats:
    """Compute a feature that has an EMA over a whole series with these closes: shape (len(close),)."""
    return feature(name).compute(Indicators(Candles.from_fields(*[close] * 5), len(close)))


def matrix(candles: Candles, names: Sequence[str], rows: int) -> Floats:
    """Compute the last `rows` bars of the named features of one series: float64, shape (rows, len(names)).

    `candles` must hold at least required_candles(names, rows) candles, with times if a feature needs them. An overflow
    leaves an infinity or NaN in the result; the caller checks for those.
    """
    indicators = Indicators(candles, rows)
    with np.errstate(all="ignore"):
        return np.stack([feature(name).compute(indicators) for name in names], axis=1)
