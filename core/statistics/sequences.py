"""Confidence sequences: intervals that hold at every look, however often somebody looks.

Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas: Time-uniform central limit theory and asymptotic confidence sequences,
arXiv 2103.06476. All functions take numbers or arrays of one shape, one estimate each.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from core.features.candles import Floats

# How often at most an interval ever misses the truth, over all looks.
LEVEL = 0.05

# The number of candles at which the intervals are tightest against those for a single look: some weeks of hours. Ten
# times fewer cost a quarter in width, ten times more 7 %.
TUNED_FOR = 1_000
# Theirs: it makes the boundary least at TUNED_FOR, up to a term that vanishes.
_RHO_SQUARED = (-2 * math.log(LEVEL) + math.log(-2 * math.log(LEVEL) + 1)) / TUNED_FOR

# No plan reaches further than this; the search for a number of candles ends there.
_FAR = 10**9


class Estimate(NamedTuple):
    """An estimate of the first `candles` candles and its own variance, not that of one candle."""

    value: Floats
    variance: Floats
    candles: Floats


def margin(estimate: Estimate) -> Floats:
    """Half the width of the interval; infinite where there is no candle.

    Theirs with sigma^2 = t * variance: sigma * sqrt(2 (t rho^2 + 1) / (t^2 rho^2) * log(sqrt(t rho^2 + 1) / LEVEL)).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        width: Floats = np.sqrt(estimate.variance * _factor(estimate.candles))
    return np.where(estimate.candles > 0, width, np.inf)


def p_value(estimate: Estimate) -> Floats:
    """The lowest level at which the interval leaves out zero; valid at every look. 1 where there is no candle."""
    scaled = estimate.candles * _RHO_SQUARED
    with np.errstate(divide="ignore", invalid="ignore"):
        evidence = np.square(estimate.value) / estimate.variance * scaled / (2 * (scaled + 1))
        p = np.exp(np.log1p(scaled) / 2 - evidence)
    return np.where(np.isnan(p), 1.0, np.minimum(p, 1.0))


def candles_until(estimate: Estimate, target: float) -> int | None:
    """How many candles in all, of the kind seen so far, bring the margin below `target`; null beyond reach."""
    of_one_candle = float(estimate.variance * estimate.candles)
    low, high = 1, 2
    while math.sqrt(of_one_candle / high * _factor(high)) >= target:
        if high > _FAR:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if math.sqrt(of_one_candle / middle * _factor(middle)) >= target:
            low = middle
        else:
            high = middle
    return high


def _factor(candles: Floats | float) -> Floats:
    """The squared margin in units of the estimate's variance."""
    scaled = np.asarray(candles * _RHO_SQUARED)
    factor: Floats = 2 * (1 + 1 / scaled) * (np.log1p(scaled) / 2 - math.log(LEVEL))
    return factor
