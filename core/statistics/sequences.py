"""Confidence sequences: intervals that are valid at every look, however many looks there are.

Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas: Time-uniform central limit theory and asymptotic confidence sequences,
arXiv 2103.06476. All functions take an Estimate of numbers, or of arrays of one shape.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Floats

# The probability that an interval misses the true value at any look is at most this.
LEVEL = 0.05

# The number of candles at which the intervals are tightest, compared with intervals for a single look: some weeks of
# hourly candles. With ten times fewer candles they are 27 % wider than the best possible; with ten times more, 7 %.
TUNED_FOR = 1_000
# The paper's choice, which minimises the boundary at TUNED_FOR up to a vanishing term.
_RHO_SQUARED = (-2 * math.log(LEVEL) + math.log(-2 * math.log(LEVEL) + 1)) / TUNED_FOR

# The search for a number of candles ends here; no experiment runs that long.
_MOST_CANDLES = 10**9


# Times with data that each side needs before its interval counts. From this number on, the intervals keep their level
# even if neighbouring results are correlated; docs/statistics-method.md has the simulation.
MINIMUM_TIMES = 300
# Units with data that each side needs, if users are assigned. With fewer, their variance is not known well enough.
MINIMUM_UNITS = 30


class Estimate(NamedTuple):
    """An estimate from candles at `candles` distinct times. `variance` is that of the estimate, not that of one candle.

    fewest: for a difference, the number of times on the side that has fewer. units: likewise the number of units;
    infinite where nothing is assigned to units.
    """

    value: Floats
    variance: Floats
    candles: Floats
    fewest: Floats = np.asarray(np.inf)
    units: Floats = np.asarray(np.inf)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Whether there are enough times and units for the interval to count."""
        enough: NDArray[np.bool_] = (self.fewest >= MINIMUM_TIMES) & (self.units >= MINIMUM_UNITS)
        return enough


def margin(estimate: Estimate, level: float = LEVEL) -> Floats:
    """Half the width of the interval; infinite without candles.

    `level`: the probability that the interval misses the true value at any look is at most this.
    The paper's boundary with sigma^2 = t * variance:
    sigma * sqrt(2 (t rho^2 + 1) / (t^2 rho^2) * log(sqrt(t rho^2 + 1) / level)).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        width: Floats = np.sqrt(estimate.variance * _factor(estimate.candles, level))
    return np.where(estimate.candles > 0, width, np.inf)


def p_value(estimate: Estimate) -> Floats:
    """The lowest level at which the interval excludes zero; valid at every look. 1 without candles."""
    scaled = estimate.candles * _RHO_SQUARED
    with np.errstate(divide="ignore", invalid="ignore"):
        evidence = np.square(estimate.value) / estimate.variance * scaled / (2 * (scaled + 1))
        p = np.exp(np.log1p(scaled) / 2 - evidence)
    return np.where(np.isnan(p), 1.0, np.minimum(p, 1.0))


def candles_until(estimate: Estimate, target: float) -> int | None:
    """The total number of candles like those seen so far that brings the margin below `target`.

    None if it exceeds a billion.
    """
    of_one_candle = float(estimate.variance * estimate.candles)
    low, high = 1, 2
    while math.sqrt(of_one_candle / high * _factor(high)) >= target:
        if high > _MOST_CANDLES:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if math.sqrt(of_one_candle / middle * _factor(middle)) >= target:
            low = middle
        else:
            high = middle
    return high


def _factor(candles: Floats | float, level: float = LEVEL) -> Floats:
    """The squared margin, divided by the variance of the estimate."""
    scaled = np.asarray(candles * _RHO_SQUARED)
    factor: Floats = 2 * (1 + 1 / scaled) * (np.log1p(scaled) / 2 - math.log(level))
    return factor
