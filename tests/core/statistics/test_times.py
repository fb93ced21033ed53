"""Variance of a sum over times: neighbours by time, however the rows are arranged."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.sandwich_covariance import S_hac_simple

from core.statistics.times import CandleTimes, newey_west, times_of, totals, variance_of_sum
from tests.core.statistics.tables import HOUR, hours, side, table


@pytest.mark.parametrize(("n", "width"), [(1, 1), (5, 3), (5, 9), (100, 1), (1_000, 32)])
def test_newey_west_of_evenly_spaced_times_equals_statsmodels(n: int, width: int) -> None:
    influence = np.cumsum(np.random.default_rng(2).normal(size=n))
    influence -= influence.mean()
    # statsmodels accepts no more lags than the series has values.
    padded = np.append(influence, np.zeros(width))
    found = newey_west(influence, hours(np.arange(n)), width * HOUR)
    assert found == pytest.approx(S_hac_simple(padded[:, None], nlags=width - 1)[0, 0])


def test_newey_west_weighs_pairs_by_their_distance_in_time() -> None:
    rng = np.random.default_rng(3)
    at, influence = np.sort(rng.uniform(0, 1_000, 60)), rng.normal(size=60)
    weights = np.maximum(1 - np.abs(at[:, None] - at) / 40.0, 0.0)
    assert newey_west(influence, at, 40.0) == pytest.approx(influence @ weights @ influence)


def test_variance_of_the_sum_is_the_largest_of_all() -> None:
    rng = np.random.default_rng(9)
    at = np.arange(400, dtype=np.float64)
    times = CandleTimes(np.arange(400), at, (20.0, 40.0))
    chosen = set()
    for series in (rng.normal(size=400), np.cumsum(rng.normal(size=400)), np.repeat(rng.normal(size=40), 10)):
        candidates = [float(np.square(series).sum()), *(float(newey_west(series, at, r)) for r in (20.0, 40.0))]
        assert variance_of_sum(series, times) == max(candidates)
        chosen.add(candidates.index(max(candidates)))
    assert len(chosen) > 1


def test_negatively_correlated_neighbours_do_not_narrow_the_interval() -> None:
    influence = np.tile([1.0, -1.0], 50)
    assert variance_of_sum(influence, CandleTimes(np.arange(100), np.arange(100.0), (10.0, 20.0))) == 100.0


def test_candles_of_several_pairs_at_one_time_are_one_time() -> None:
    of = replace(
        table(side(longs=np.ones(6)), side(longs=np.ones(6))),
        time=np.array([0.0, 0.0, HOUR, 2 * HOUR, 2 * HOUR, 9 * HOUR]),
        place=np.array([0, 1, 0, 0, 1, 0]),
        places=(("EUR/USD", "1h"), ("USD/JPY", "1h")),
    )
    times = times_of(of)
    assert times.at.tolist() == [0.0, HOUR, 2 * HOUR, 9 * HOUR]
    assert totals(np.arange(6.0), times).tolist() == [1.0, 2.0, 7.0, 5.0]
    # Four times of the first pair, two of the second: both reach over two periods, and twice as far.
    assert times.reaches == (2 * HOUR, 4 * HOUR)


def test_each_timeframe_reaches_over_its_own_periods() -> None:
    of = replace(
        table(side(longs=np.ones(3)), side(longs=np.ones(3))),
        place=np.array([0, 1, 0]),
        places=(("EUR/USD", "1h"), ("EUR/USD", "1d")),
    )
    assert times_of(of).reaches == (2 * HOUR, 4 * HOUR, 24 * HOUR, 48 * HOUR)


def test_without_candles_there_is_no_time() -> None:
    nothing = times_of(table(side(longs=[]), side(longs=[])))
    assert len(nothing.at) == 0
    assert totals(np.zeros(0), nothing).tolist() == []
    assert variance_of_sum(np.zeros(0), nothing) == 0.0
    assert math.isfinite(float(newey_west(np.zeros(0), np.zeros(0), 1.0)))
