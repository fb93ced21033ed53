"""Limits of a stage's inputs: values beyond them are far from the training data, and the answer carries a warning.

The comments below quote numbers from benchmarks/out_of_range.py, which measures the share of windows that these margins
flag; `--distances` prints the numbers. They are for the hours of 2017 after the training part of v3.0 and v3.1, once
with the real prices and once with all prices raised by 13 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

# For a known range of the training values: how far outside it a value is allowed, in widths of that range. With the
# real prices, no value lies more than 0.28 widths outside. With raised prices, each window has one beyond 0.68.
MARGIN = 0.5
# For a scaler that divides by a deviation: how many deviations the mean of a feature over the window is allowed to be
# from the centre. With the real prices, the means lie within 3.94; with raised prices, beyond 4.36. In the unit of a
# RobustScaler, which is 1.349 times as large, raised prices have means beyond 2.90. Single values cannot separate
# the two cases, because some features have long tails.
MEAN_DEVIATIONS = 3.9
# The same for single values, so that a single extreme candle is flagged as well.
DEVIATIONS = 10.0
# For a scaler that clips: if the mean of a feature is this close to an end of the range (as a share of the range), the
# whole window lies beyond that end. How far beyond is unknown.
CLIP_TRACE = 1e-3
# A graph does not show whether a MinMaxScaler maps to 0..1 or to -1..1. These limits suit both. In the range 0..1 they
# flag the raised prices, which lie 0.68 widths outside.
_UNIT_MEAN, _UNIT = 1.5, 3.0

# The least width of a range, relative to its value. A feature that was constant in training has this width.
_LEAST_WIDTH = 1e-6
# Numbers up to here fit into a float32.
LARGEST = 3e38
Number = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Numbers = tuple[Number, ...]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of each scaled feature, in the order of the stage's features.

    low, high: of single values. mean_low, mean_high: of the mean over the window; null means no limit.
    source: whether the limits come from the range of the training values or from the scaler.
    """

    low: Numbers
    high: Numbers
    mean_low: Numbers | None = None
    mean_high: Numbers | None = None
    source: Literal["training", "scaler"]


def of_training(low: Sequence[float], high: Sequence[float]) -> Limits:
    """Return the limits for the least and the largest scaled value of each feature in training."""
    return _of_ranges(list(zip(low, high, strict=True)), "training")


def of_range(width: int, low: float, high: float) -> Limits:
    """Return the limits for a scaler that maps the training values of all `width` features to `low`..`high`."""
    return _of_ranges([(low, high)] * width, "scaler")


def _of_ranges(ranges: Sequence[tuple[float, float]], source: Literal["training", "scaler"]) -> Limits:
    margins = [MARGIN * max(high - low, _LEAST_WIDTH * max(1.0, abs(high))) for low, high in ranges]
    return Limits(
        low=tuple(_shortened(low - margin) for (low, _), margin in zip(ranges, margins, strict=True)),
        high=tuple(_shortened(high + margin) for (_, high), margin in zip(ranges, margins, strict=True)),
        source=source,
    )


def _shortened(value: float) -> float:
    """Round to the digits that a float32 can hold."""
    return float(f"{value:.8g}")


def of_deviations(centres: Sequence[float], deviation: float = 1.0) -> Limits:
    """Return the limits for a scaler that divides by a measure of spread.

    centres: the scaled value of each feature's mean. deviation: the scaled size of a standard deviation.
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
    """Return the limits for a scaler that also clips to `low`..`high`.

    constant: for each feature, whether it had a single value in training. That value is at an end of the range itself,
    so such a feature gets no limit of its mean.
    """
    trace = CLIP_TRACE * (high - low)
    return msgspec.structs.replace(
        limits,
        mean_low=tuple(-LARGEST if fixed else low + trace for fixed in constant),
        mean_high=tuple(LARGEST if fixed else high - trace for fixed in constant),
    )


def of_operators(operators: Sequence[str], width: int) -> Limits | None:
    """Derive limits from the operators of a scaler's graph, for bundles without limits; None if that is impossible.

    convert writes a StandardScaler or RobustScaler as Sub and Div, and a MinMaxScaler as Mul and Add, followed by Cast.
    In a pipeline, the last scaler counts. A Div alone can come from three different scalers, and a Clip hides how far
    outside a value is; both give None.
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
    """Raise ValueError unless there are limits for `width` features and each low limit is below its high limit."""
    pairs = [("low", limits.low, "high", limits.high)]
    if limits.mean_low is not None and limits.mean_high is not None:
        pairs.append(("mean_low", limits.mean_low, "mean_high", limits.mean_high))
    elif limits.mean_low is not limits.mean_high:
        raise ValueError("limits.mean_low and mean_high: one is null; give both or neither")
    for low_name, low, high_name, high in pairs:
        for name, values in ((low_name, low), (high_name, high)):
            if len(values) != width:
                raise ValueError(f"limits.{name}: {len(values)} values, the stage has {width} features")
        for i, (least, most) in enumerate(zip(low, high, strict=True)):
            if not least < most:
                raise ValueError(f"limits.{low_name}[{i}]: {least} is not below {high_name}[{i}], {most}")


def check_ranges(ranges: Sequence[tuple[float, float]], width: int) -> None:
    """Raise ValueError unless there are `width` training ranges, none of them reversed."""
    if len(ranges) != width:
        raise ValueError(f"training_ranges: {len(ranges)} ranges, the stage has {width} features")
    for i, (low, high) in enumerate(ranges):
        if low > high:
            raise ValueError(f"training_ranges[{i}]: {low} is above {high}")


def check_background(window: Sequence[Sequence[float]], rows: int, width: int) -> None:
    """Raise ValueError unless the window has `rows` steps of `width` features."""
    if len(window) != rows:
        raise ValueError(f"background: {len(window)} steps, the window has {rows}")
    for i, step in enumerate(window):
        if len(step) != width:
            raise ValueError(f"background[{i}]: {len(step)} values, the stage has {width} features")
