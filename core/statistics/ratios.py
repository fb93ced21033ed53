"""Ratios of sums over candles, their differences, and their uncertainty.

Every metric of a variant is sum(numerator) / sum(denominator) over candles. An influence value is a contribution to the
error (the delta method; Deng, Knoblich, Lu: Applying the delta method in metric analytics, arXiv 1803.06336). Influence
values sum to zero, and the variance of their sum is the variance of the ratio. They are summed in two ways: by time,
because candles share the market, and by unit, because users differ. The last axis of an array is the candles, the times
or the units; leading axes, if any, are independent experiments.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.experiments.candle_table import UnitSums
from core.features.candles import Floats
from core.statistics.sequences import Estimate
from core.statistics.times import CandleTimes, totals, variance_of_sum

# Relative rounding error of a difference between equal numbers. Smaller differences count as zero, so that a constant
# series has no variance.
_ROUNDING = 1e-12


class Sample(NamedTuple):
    """Numerator and denominator per candle; both are 0 on a candle without data.

    units: the same sums by unit; None in shadow mode, where nothing is assigned to users.
    """

    numerator: Floats
    denominator: Floats
    units: UnitSums | None = None

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which candles have data."""
        return self.denominator > 0


class UnitErrors(NamedTuple):
    """The part of the error that comes from units.

    between: the variance of the sums by unit. within: that of the sums by cell, which are those of one unit at one
    time. number: how many units have data, for a difference on the side that has fewer.
    """

    between: Floats
    within: Floats
    number: Floats


class Statistic(NamedTuple):
    """A value, and the contributions to its error.

    influence: by candle. present: which candles have data, one array for a ratio, and one a side for a difference.
    deviation: the standard deviation of one candle. weight: how much a candle that deviates by 1 changes the value.
    units: None in shadow mode.
    """

    value: Floats
    influence: Floats
    present: tuple[NDArray[np.bool_], ...]
    deviation: Floats
    weight: Floats
    units: UnitErrors | None = None


def ratio(sample: Sample, deviation: float | None = None) -> Statistic:
    """The sample's ratio; NaN if no candle has data.

    `deviation`: the standard deviation of one candle; None to measure it. Give it for rates, because their candles can
    all be the same so far, and the measured deviation is then zero.
    """
    numerator, denominator = sample.numerator, sample.denominator
    with np.errstate(divide="ignore", invalid="ignore"):
        total = denominator.sum(axis=-1)
        weight, value = 1 / total, numerator.sum(axis=-1) / total
        residual = numerator - value[..., None] * denominator
        residual = np.where(np.abs(residual) > _ROUNDING * np.abs(numerator), residual, 0.0)
        measured = np.sqrt(np.square(residual).sum(axis=-1) / sample.present.sum(axis=-1))
        influence = residual * weight[..., None]
        units = None if sample.units is None else _unit_errors(sample.units, value, total)
    spread = measured if deviation is None else np.asarray(deviation)
    return Statistic(value, influence, (sample.present,), spread, weight, units)


def _unit_errors(sums: UnitSums, value: Floats, total: Floats) -> UnitErrors:
    """The errors of a ratio by unit.

    The influence of a unit is divided by 1 minus its share of the data: this is how far the ratio moves without the
    unit (the jackknife; Bell, McCaffrey: Bias reduction in standard errors (2002), for linear models). Otherwise a
    unit with much of the data would hide its own error. If one unit has all the data, the error is unknown: infinite.
    `total`: the sum of the denominators of all units.
    """
    numerator, denominator, (nn, nd, dd), weight = sums
    rest = np.maximum(total[..., None] - denominator, 0.0)
    residual = numerator - value[..., None] * denominator
    residual = np.where(np.abs(residual) > _ROUNDING * np.abs(numerator), residual, 0.0)
    there = denominator > 0
    moved = np.where(there, residual / rest, 0.0)
    moved = np.where(there & (rest <= _ROUNDING * total[..., None]), np.inf, moved)
    within = np.maximum(nn - 2 * value * nd + np.square(value) * dd, 0.0) / np.square(total)
    squares = np.square(moved) if weight is None else weight * np.square(moved)
    return UnitErrors(squares.sum(axis=-1), within, sums.number)


def difference(a: Statistic, b: Statistic) -> Statistic:
    """B - A. Influence values are subtracted per candle, so that effects of a candle on both variants cancel.

    No unit belongs to both variants, so the errors of units add up.
    """
    units = None
    if a.units is not None and b.units is not None:
        number = np.minimum(a.units.number, b.units.number)
        units = UnitErrors(a.units.between + b.units.between, a.units.within + b.units.within, number)
    return Statistic(
        b.value - a.value,
        b.influence - a.influence,
        a.present + b.present,
        a.deviation + b.deviation,
        np.maximum(a.weight, b.weight),
        units,
    )


def sharpe(sample: Sample) -> Statistic:
    """Mean of the candles' ratios over their standard deviation; not annualised. NaN if the ratios do not vary.

    The influence is z - S (z^2 - 1) / 2 with z the standardised ratio; Lo: The statistics of Sharpe ratios (2002).
    """
    present = sample.present
    each = np.divide(sample.numerator, sample.denominator, out=np.zeros_like(sample.numerator), where=present)
    mean = ratio(Sample(each, present.astype(np.float64)))
    sd = np.where(mean.deviation > 0, mean.deviation, np.nan)
    with np.errstate(invalid="ignore"):
        value = mean.value / sd
        z = mean.influence / (mean.weight * sd)[..., None]
        influence = np.where(present, z - value[..., None] * (np.square(z) - 1) / 2, 0.0) * mean.weight[..., None]
    return Statistic(value, influence, (present,), np.sqrt(1 + np.square(value) / 2), mean.weight)


def estimate(statistic: Statistic, times: CandleTimes) -> Estimate:
    """The value with its variance, which allows for correlation within times, between near times, and within units.

    With units, the variances by time and by unit are added, and that of the cells, which is in both, is subtracted
    (Cameron, Gelbach, Miller: Robust inference with multiway clustering (2011)). The result is at least that of
    independent times, because the difference of noisy estimates can be too small.
    Two artificial candles are added, one that deviates up and one down, as Agresti and Min (2005) do for paired
    proportions. Without them, a hundred equal candles would have no variance and pass for certainty.
    """
    influence = totals(statistic.influence, times)
    variance = variance_of_sum(influence, times)
    if statistic.units is not None:
        between, within, _ = statistic.units
        variance = np.maximum(variance + between - within, np.square(influence).sum(axis=-1))
    added = 2 * np.square(statistic.deviation * statistic.weight)
    counts = [_times_with(present, times) for present in statistic.present]
    together = _times_with(np.logical_or.reduce(statistic.present), times)
    units = statistic.units.number if statistic.units is not None else np.asarray(np.inf)
    return Estimate(statistic.value, variance + added, together, np.minimum.reduce(counts), units)


def _times_with(present: NDArray[np.bool_], times: CandleTimes) -> Floats:
    """How many times have data."""
    found: Floats = (totals(present.astype(np.float64), times) > 0).sum(axis=-1).astype(np.float64)
    return found
