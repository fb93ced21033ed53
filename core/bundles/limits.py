"""How far a stage's inputs may lie from what it was fitted on, before its answer carries a warning.

benchmarks/out_of_range.py measures what the margins flag; with --distances it prints the figures in these comments.
They are of the hours of 2017 that came after the training part of v3.0 and v3.1, as they were and with all prices
higher by 13 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

# Where the range of the values in training is known: how far beyond it a value may lie, in widths of that range. As
# they were, no window has a value further than 0.28 widths outside; with 13 % higher prices each has one beyond 0.68.
MARGIN = 0.5
# Where only a scaler that divides by a deviation is known: so many of these for the mean of a feature over the window.
# As they were, the means lie within 3.94, with 13 % higher prices beyond 4.36; of a RobustScaler, whose unit is 1.349
# times as large, the latter beyond 2.90. Single values do not tell these apart: some features have long tails.
MEAN_DEVIATIONS = 3.9
# For single values, so that one wild candle is seen as well.
DEVIATIONS = 10.0
# Where a scaler cuts values off, a mean within this share of its range from an end is of a window that lies beyond it
# as a whole. How far is hidden.
CLIP_TRACE = 1e-3
# A graph does not tell whether MinMaxScaler maps to 0 to 1 or to -1 to 1. These fit either, and in the narrower one
# they flag 13 % higher prices, which lie 0.68 widths outside.
_UNIT_MEAN, _UNIT = 1.5, 3.0

# The width of the range of a feature that was constant in training, relative to its value.
_LEAST_WIDTH = 1e-6
# What float32 holds.
LARGEST = 3e38
_Number = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
_Numbers = tuple[_Number, ...]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Of each scaled feature, in the order of the stage's.

    low, high: the least and the largest value. mean_low, mean_high: of its mean over the window; null for no limit.
    source: whether they follow from the range of the values in training or from the scaler.
    """

    low: _Numbers
    high: _Numbers
    mean_low: _Numbers | None = None
    mean_high: _Numbers | None = None
    source: Literal["training", "scaler"]


def of_training(low: Sequence[float], high: Sequence[float]) -> Limits:
    """From the least and the largest scaled value of each feature in training."""
    return _of_ranges(list(zip(low, high, strict=True)), "training")


def of_range(width: int, low: float, high: float) -> Limits:
    """Of a scaler that puts the values in training of each of `width` features between `low` and `high`."""
    return _of_ranges([(low, high)] * width, "scaler")


def _of_ranges(ranges: Sequence[tuple[float, float]], source: Literal["training", "scaler"]) -> Limits:
    margins = [MARGIN * max(high - low, _LEAST_WIDTH * max(1.0, abs(high))) for low, high in ranges]
    return Limits(
        low=tuple(_shortened(low - margin) for (low, _), margin in zip(ranges, margins, strict=True)),
        high=tuple(_shortened(high + margin) for (_, high), margin in zip(ranges, margins, strict=True)),
        source=source,
    )


def _shortened(value: float) -> float:
    """As many digits as float32 tells apart."""
    return float(f"{value:.8g}")


def of_deviations(centres: Sequence[float], deviation: float = 1.0) -> Limits:
    """Of a scaler that divides by a measure of spread.

    centres: what the mean of each feature becomes. deviation: what a standard deviation becomes.
    """
    far, mean = DEVIATIONS * deviation, MEAN_DEVIATIONS * deviation
    return Limits(
        low=tuple(centre - far for centre in centres),
        high=tuple(centre + far for centre in centres),
        mean_low=tuple(centre - mean for centre in centres),
        mean_high=tuple(centre + mean for centre in centres),
        source="scaler",
    )


def clipped(limits: Limits, low: float, high: float, constant: Sequence[bool]) -> Limits:
    """The same for a scaler that cuts off what lies beyond these ends.

    constant: whether a feature had one value in training, which is then at an end itself.
    """
    trace = CLIP_TRACE * (high - low)
    return msgspec.structs.replace(
        limits,
        mean_low=tuple(-LARGEST if fixed else low + trace for fixed in constant),
        mean_high=tuple(LARGEST if fixed else high - trace for fixed in constant),
    )


def of_operators(operators: Sequence[str], width: int) -> Limits | None:
    """Of a scaler's graph alone, for bundles that were written without limits; null where it tells nothing.

    convert writes what matters here as Sub and Div (StandardScaler, RobustScaler) or Mul and Add (MinMaxScaler), then
    Cast; of a pipeline the last one counts. A Div alone may be of three scalers, and a Clip hides what lies beyond.
    """
    last = [operator for operator in operators if operator != "Cast"][-2:]
    if last == ["Sub", "Div"]:
        return of_deviations((0.0,) * width)
    if last == ["Mul", "Add"]:
        return Limits(
            low=(-_UNIT,) * width,
            high=(_UNIT,) * width,
            mean_low=(-_UNIT_MEAN,) * width,
            mean_high=(_UNIT_MEAN,) * width,
            source="scaler",
        )
    return None


def check(limits: Limits, width: int) -> None:
    """Raise ValueError unless there are limits for so many features, each low below its high."""
    pairs = [("low", limits.low, "high", limits.high)]
    if limits.mean_low is not None and limits.mean_high is not None:
        pairs.append(("mean_low", limits.mean_low, "mean_high", limits.mean_high))
    elif limits.mean_low is not limits.mean_high:
        raise ValueError("mean_low: given without mean_high, or the other way round")
    for low_name, low, high_name, high in pairs:
        for name, values in ((low_name, low), (high_name, high)):
            if len(values) != width:
                raise ValueError(f"{name}: {len(values)} values, the stage has {width} features")
        for i, (least, most) in enumerate(zip(low, high, strict=True)):
            if not least < most:
                raise ValueError(f"{low_name}[{i}]: {least} is not below {high_name}, {most}")
