"""Ratios of sums over candles, their differences, and how uncertain they are.

Every metric of a variant is sum(numerator) / sum(denominator) over candles. Its influence values say what each candle
adds to the error (the delta method; Deng, Knoblich, Lu: Applying the delta method in metric analytics, arXiv
1803.06336): they sum to zero, and the variance of their sum is that of the ratio. The last axis is the candles, in
order of time; leading axes, where there are any, are independent experiments.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Floats
from core.statistics.sequences import Estimate

# What rounding may leave of a difference between equal numbers; a constant must not seem to vary by it.
_ROUNDING = 1e-12


class Sample(NamedTuple):
    """Per candle the numerator and denominator; both 0 where the candle has nothing to say."""

    numerator: Floats
    denominator: Floats

    @property
    def present(self) -> NDArray[np.bool_]:
        """The candles that count."""
        return self.denominator > 0


class Statistic(NamedTuple):
    """A value, and what each candle contributes to its error.

    deviation: that of a single candle, typically; weight: what a candle that deviates by 1 adds to the value.
    """

    value: Floats
    influence: Floats
    present: NDArray[np.bool_]
    deviation: Floats
    weight: Floats


def ratio(sample: Sample, deviation: float | None = None) -> Statistic:
    """The sample's ratio; NaN where no candle counts.

    `deviation` is for rates, whose candles may all have been the same so far; otherwise it is measured.
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
    """B - A, candle by candle: what both have in common on a candle cancels, whether users or shadow mode share it."""
    return Statistic(
        b.value - a.value,
        b.influence - a.influence,
        a.present | b.present,
        a.deviation + b.deviation,
        np.maximum(a.weight, b.weight),
    )


def sharpe(sample: Sample) -> Statistic:
    """Mean over standard deviation of the candles' own ratios; not annualised. NaN where they do not vary.

    Its influence is z - S (z^2 - 1) / 2 with z the standardised ratio; Lo: The statistics of Sharpe ratios (2002).
    """
    there = sample.present
    each = np.divide(sample.numerator, sample.denominator, out=np.zeros_like(sample.numerator), where=there)
    mean = ratio(Sample(each, there.astype(np.float64)))
    sd = np.where(mean.deviation > 0, mean.deviation, np.nan)
    with np.errstate(invalid="ignore"):
        value = mean.value / sd
        z = mean.influence / (mean.weight * sd)[..., None]
        influence = np.where(there, z - value[..., None] * (np.square(z) - 1) / 2, 0.0) * mean.weight[..., None]
    return Statistic(value, influence, there, np.sqrt(1 + np.square(value) / 2), mean.weight)


def estimate(statistic: Statistic) -> Estimate:
    """The value with its variance, which allows for what neighbouring candles have in common.

    Two candles are added that deviate, one up and one down, as Agresti and Min (2005) do for paired proportions: else
    a hundred candles alike would be certainty.
    """
    added = 2 * np.square(statistic.deviation * statistic.weight)
    variance = variance_of_sum(statistic.influence) + added
    return Estimate(statistic.value, variance, statistic.present.sum(axis=-1).astype(np.float64))


def variance_of_sum(influence: Floats) -> Floats:
    """The variance of the sum of a series with mean zero whose neighbours may be alike.

    The largest of Newey and West's (1987) over sqrt(n) and over twice as many neighbours, since a noisy one that is too
    small does the harm, and that of independent candles, since what swings back is not believed.
    """
    some = math.ceil(math.sqrt(influence.shape[-1]))
    independent: Floats = np.square(influence).sum(axis=-1)
    return np.maximum(independent, np.maximum(newey_west(influence, some), newey_west(influence, 2 * some)))


def newey_west(influence: Floats, width: int) -> Floats:
    """Newey and West's variance of a sum, with Bartlett's weights over lags below `width`.

    Computed as the mean square of all sums over `width` neighbours, the cut ones at the ends included: the same number
    in linear time.
    """
    width = max(width, 1)
    edge = np.zeros((*influence.shape[:-1], width))
    total = np.cumsum(np.concatenate([edge, influence, edge], axis=-1), axis=-1)
    variance: Floats = np.square(total[..., width:] - total[..., :-width]).sum(axis=-1) / width
    return variance
