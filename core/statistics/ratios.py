"""Ratios of sums over candles, their differences, and their uncertainty.

Every metric of a variant is sum(numerator) / sum(denominator) over candles. An influence value is the contribution of
one candle to the error (the delta method; Deng, Knoblich, Lu: Applying the delta method in metric analytics, arXiv
1803.06336). Influence values sum to zero, and the variance of their sum is the variance of the ratio. The last axis of
an array is the candles, in order of time; leading axes, if any, are independent experiments.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Floats
from core.statistics.sequences import Estimate

# Relative rounding error of a difference between equal numbers. Smaller differences count as zero, so that a constant
# series has no variance.
_ROUNDING = 1e-12


class Sample(NamedTuple):
    """Numerator and denominator per candle; both are 0 on a candle without data."""

    numerator: Floats
    denominator: Floats

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which candles have data."""
        return self.denominator > 0


class Statistic(NamedTuple):
    """A value, and the contribution of each candle to its error.

    deviation: the standard deviation of one candle. weight: how much a candle that deviates by 1 changes the value.
    """

    value: Floats
    influence: Floats
    present: NDArray[np.bool_]
    deviation: Floats
    weight: Floats


def ratio(sample: Sample, deviation: float | None = None) -> Statistic:
    """The sample's ratio; NaN if no candle has data.

    `deviation`: the standard deviation of one candle; None to measure it. Give it for rates, because their candles can
    all be the same so far, and the measured deviation is then zero.
    """
    numerator, denominator = sample
    with np.errstate(divide="ignore", invalid="ignore"):
        total = denominator.sum(axis=-1)
        weight, value = 1 / total, numerator.sum(axis=-1) / total
        residual = numerator - value[..., None] * denominator
        residual = np.where(np.abs(residual) > _ROUNDING * np.abs(numerator), residual, 0.0)
        measured = np.sqrt(np.square(residual).sum(axis=-1) / sample.present.sum(axis=-1))
        influence = residual * weight[..., None]
    return Statistic(value, influence, sample.present, measured if deviation is None else np.asarray(deviation), weight)


def difference(a: Statistic, b: Statistic) -> Statistic:
    """B - A. Influence values are subtracted per candle, so that effects of a candle on both variants cancel."""
    return Statistic(
        b.value - a.value,
        b.influence - a.influence,
        a.present | b.present,
        a.deviation + b.deviation,
        np.maximum(a.weight, b.weight),
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
    return Statistic(value, influence, present, np.sqrt(1 + np.square(value) / 2), mean.weight)


def estimate(statistic: Statistic) -> Estimate:
    """The value with its variance, which accounts for the correlation of neighbouring candles.

    Two artificial candles are added, one that deviates up and one down, as Agresti and Min (2005) do for paired
    proportions. Without them, a hundred equal candles would have no variance and pass for certainty.
    """
    added = 2 * np.square(statistic.deviation * statistic.weight)
    variance = variance_of_sum(statistic.influence) + added
    return Estimate(statistic.value, variance, statistic.present.sum(axis=-1).astype(np.float64))


def variance_of_sum(influence: Floats) -> Floats:
    """The variance of the sum of a series with mean zero and possibly correlated neighbours.

    The result is the largest of three estimates: Newey and West's (1987) over sqrt(n) and over 2 sqrt(n) neighbours,
    and the variance of independent candles. The largest is taken because these estimates are noisy, and one that is
    too small makes intervals too narrow. The third is a lower bound: negative correlation does not narrow an interval.
    """
    width = math.ceil(math.sqrt(influence.shape[-1]))
    independent: Floats = np.square(influence).sum(axis=-1)
    return np.maximum(independent, np.maximum(newey_west(influence, width), newey_west(influence, 2 * width)))


def newey_west(influence: Floats, width: int) -> Floats:
    """Newey and West's variance of a sum, with Bartlett's weights over lags below `width`.

    It is computed in linear time, as the mean square of all sums over `width` neighbours, including the shorter sums at
    both ends. The result is the same number.
    """
    width = max(width, 1)
    edge = np.zeros((*influence.shape[:-1], width))
    total = np.cumsum(np.concatenate([edge, influence, edge], axis=-1), axis=-1)
    variance: Floats = np.square(total[..., width:] - total[..., :-width]).sum(axis=-1) / width
    return variance
