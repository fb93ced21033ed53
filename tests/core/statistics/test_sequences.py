"""Confidence sequences: the boundary, its inverse (the p-value) and the forecast."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize

from core.statistics import sequences
from core.statistics.sequences import LEVEL, TUNED_FOR, Estimate


def estimate(value: float, variance: float, candles: float) -> Estimate:
    return Estimate(np.float64(value), np.float64(variance), np.float64(candles))  # type: ignore[arg-type] # no axes


def as_printed(sigma: float, t: float, level: float) -> float:
    """The paper's boundary, term by term."""
    rho = math.sqrt((-2 * math.log(LEVEL) + math.log(-2 * math.log(LEVEL) + 1)) / TUNED_FOR)
    inside = 2 * (t * rho**2 + 1) / (t**2 * rho**2) * math.log(math.sqrt(t * rho**2 + 1) / level)
    return sigma * math.sqrt(inside)


@pytest.mark.parametrize("t", [1, 10, 1_000, 50_000])
def test_margin_equals_the_papers_boundary(t: int) -> None:
    assert sequences.margin(estimate(0.3, 4.0 / t, t)) == pytest.approx(as_printed(2.0, t, LEVEL), rel=1e-12)


def test_margin_is_nearly_the_least_possible_at_the_tuned_number_of_candles() -> None:
    """At TUNED_FOR, the margin is within half a percent of that with the best rho."""

    def width(log_rho: float) -> float:
        scaled = TUNED_FOR * math.exp(2 * log_rho)
        return math.sqrt(2 * (1 + 1 / scaled) * (math.log1p(scaled) / 2 - math.log(LEVEL)) / TUNED_FOR)

    best = optimize.minimize_scalar(width, bounds=(-10, 2), method="bounded").fun
    assert sequences.margin(estimate(0, 1 / TUNED_FOR, TUNED_FOR)) == pytest.approx(best, rel=0.005)


@pytest.mark.parametrize("t", [50, 1_000, 20_000])
@pytest.mark.parametrize("distance", [0.9, 1.5, 3.0])
def test_p_value_is_the_level_at_which_the_interval_touches_zero(t: int, distance: float) -> None:
    value = distance * as_printed(1.0, t, LEVEL)
    p = float(sequences.p_value(estimate(value, 1 / t, t)))
    assert (p <= LEVEL) == (distance >= 1)
    assert as_printed(1.0, t, p) == pytest.approx(value, rel=1e-9)


def test_p_value_is_two_sided_and_at_most_one() -> None:
    assert sequences.p_value(estimate(0.2, 0.01, 100)) == sequences.p_value(estimate(-0.2, 0.01, 100))
    assert sequences.p_value(estimate(0.0, 0.01, 100)) == 1.0


def test_without_candles_the_margin_is_infinite() -> None:
    nothing = estimate(math.nan, math.nan, 0)
    assert sequences.margin(nothing) == math.inf
    assert sequences.p_value(nothing) == 1.0


@pytest.mark.parametrize("target", [0.5, 0.05, 0.003])
def test_the_forecast_is_the_least_sufficient_number_of_candles(target: float) -> None:
    total = sequences.candles_until(estimate(0.0, 1 / 400, 400), target)
    assert total is not None
    assert as_printed(1.0, total, LEVEL) < target <= as_printed(1.0, total - 1, LEVEL)


def test_a_forecast_beyond_a_billion_is_none() -> None:
    assert sequences.candles_until(estimate(0.0, 1 / 400, 400), 1e-9) is None


def test_arrays_give_the_same_as_single_estimates() -> None:
    value, variance, candles = np.array([0.1, 0.2]), np.array([0.01, 0.001]), np.array([50.0, 800.0])
    for i in range(2):
        one = estimate(value[i], variance[i], candles[i])
        assert sequences.margin(Estimate(value, variance, candles))[i] == sequences.margin(one)
        assert sequences.p_value(Estimate(value, variance, candles))[i] == sequences.p_value(one)
