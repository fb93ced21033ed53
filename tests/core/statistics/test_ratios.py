"""Ratios, differences and their variances, compared with hand calculation, statsmodels and the bootstrap."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from core.experiments.candle_table import UnitSums
from core.features.candles import Floats
from core.statistics import sequences
from core.statistics.ratios import Sample, Statistic, difference, ratio, sharpe
from core.statistics.ratios import estimate as estimate_at
from core.statistics.sequences import Estimate
from core.statistics.times import CandleTimes


def hourly(n: int) -> CandleTimes:
    """Consecutive times with distances of sqrt(n) and 2 sqrt(n)."""
    width = math.ceil(math.sqrt(n))
    return CandleTimes(np.arange(n), np.arange(n, dtype=np.float64), (width, 2 * width) if n else ())


def estimate(of: Statistic) -> Estimate:
    return estimate_at(of, hourly(of.influence.shape[-1]))


def sample(values: Floats) -> Sample:
    """A sample of one value per candle; NaN for a candle without data."""
    there = ~np.isnan(values)
    return Sample(np.where(there, values, 0.0), there.astype(np.float64))


def random_sample(rng: np.random.Generator, n: int, share: float = 1.0) -> Sample:
    return sample(np.where(rng.random(n) < share, rng.normal(1.0, 2.0, n), np.nan))


def test_ratio_by_hand() -> None:
    found = ratio(Sample(np.array([1.0, 0.0, 2.0]), np.array([2.0, 0.0, 2.0])))
    assert found.value == 0.75
    # Of four predictions: half a win less than the ratio predicts on the first candle, half a win more on the last.
    assert found.influence.tolist() == [-0.125, 0.0, 0.125]
    assert estimate(found).candles == 2


def test_without_data_there_is_no_number() -> None:
    found = estimate(ratio(Sample(np.zeros(3), np.zeros(3)), 0.5))
    assert math.isnan(found.value)
    assert found.candles == 0
    assert sequences.margin(found) == math.inf
    assert estimate(ratio(Sample(np.zeros(0), np.zeros(0)))).candles == 0


def test_variance_of_independent_candles_equals_that_of_an_ols_clustered_by_candle() -> None:
    """With many users per candle, the ratio per candle is compared with a clustered regression of all predictions."""
    rng = np.random.default_rng(1)
    candle = np.repeat(np.arange(400), rng.integers(1, 30, 400))
    is_b = rng.random(len(candle)) < 0.5
    y = rng.normal(size=400)[candle] + rng.normal(size=len(candle)) + 0.3 * is_b
    a, b = (
        Sample(
            np.bincount(candle[side], y[side], minlength=400).astype(np.float64),
            np.bincount(candle[side], minlength=400).astype(np.float64),
        )
        for side in (~is_b, is_b)
    )
    found = difference(ratio(a), ratio(b))

    fit = sm.OLS(y, sm.add_constant(is_b.astype(float))).fit(
        cov_type="cluster", cov_kwds={"groups": candle, "use_correction": False}
    )
    assert found.value == pytest.approx(fit.params[1])
    assert np.square(found.influence).sum() == pytest.approx(fit.bse[1] ** 2)


def test_equal_neighbours_widen_the_interval() -> None:
    """A series with each candle repeated four times has no more information than the series itself."""
    values = np.random.default_rng(3).normal(size=400)
    once, fourfold = (estimate(ratio(sample(v))).variance for v in (values, np.repeat(values, 4)))
    assert fourfold == pytest.approx(once, rel=0.2)


def test_two_added_candles_keep_a_series_without_variation_uncertain() -> None:
    found = estimate(ratio(Sample(np.ones(100), np.ones(100)), 0.5))
    assert found.variance == pytest.approx(2 * (0.5 / 100) ** 2)


@pytest.mark.parametrize("seed", range(5))
def test_swapping_a_and_b_negates_the_difference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (ratio(random_sample(rng, 300, share)) for share in (0.3, 0.8))
    there, back = estimate(difference(a, b)), estimate(difference(b, a))
    assert there.value == -back.value
    assert [float(x) for x in there[1:]] == pytest.approx([float(x) for x in back[1:]])


def test_the_difference_on_the_same_candles_equals_the_mean_of_paired_differences() -> None:
    rng = np.random.default_rng(4)
    a = rng.normal(size=500)
    b = a + rng.normal(0.1, 0.2, 500)
    both, paired = difference(ratio(sample(a)), ratio(sample(b))), ratio(sample(b - a))
    assert both.value == pytest.approx(paired.value)
    assert both.influence == pytest.approx(paired.influence)


def test_copies_on_shared_candles_do_not_differ() -> None:
    values = np.random.default_rng(5).normal(size=300)
    found = difference(ratio(sample(values)), ratio(sample(values)))
    assert found.value == 0.0
    assert not found.influence.any()


def test_more_candles_narrow_the_interval() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=(2, 8_000))
    widths = [
        float(sequences.margin(estimate(difference(ratio(sample(a[:n])), ratio(sample(b[:n]))))))
        for n in (200, 1_000, 8_000)
    ]
    assert widths == sorted(widths, reverse=True)


def test_leading_axes_are_independent_experiments() -> None:
    rng = np.random.default_rng(7)
    values = np.where(rng.random((3, 200)) < 0.6, rng.normal(size=(3, 200)), np.nan)
    together = estimate(ratio(sample(values)))
    for i in range(3):
        alone = estimate(ratio(sample(values[i])))
        assert [x[i] for x in together[:4]] == pytest.approx(list(alone[:4]))


def test_sharpe_is_mean_over_sd_with_the_bootstraps_variance() -> None:
    rng = np.random.default_rng(8)
    pips = rng.gamma(2.0, 10.0, 1_500) - 15.0
    found = sharpe(sample(pips))
    assert found.value == pytest.approx(pips.mean() / pips.std())
    again = rng.choice(pips, (4_000, len(pips)))
    resampled = (again.mean(axis=1) / again.std(axis=1)).std()
    assert math.sqrt(np.square(found.influence).sum()) == pytest.approx(resampled, rel=0.05)


def test_sharpe_of_a_constant_is_nan() -> None:
    assert math.isnan(sharpe(Sample(np.full(50, 0.1), np.ones(50))).value)


def test_a_constant_has_no_variance_despite_rounding() -> None:
    assert estimate(ratio(Sample(np.full(50, 0.1), np.ones(50)))).variance == 0.0


def by_unit(y: Floats, candle: NDArray[np.intp], unit: NDArray[np.intp]) -> Sample:
    """The sample of predictions of 60 users on 400 candles, by candle and by unit."""

    def sums(of: Floats, by: NDArray[np.intp], n: int) -> Floats:
        found: Floats = np.bincount(by, of, n).astype(np.float64)
        return found

    one = np.ones(len(y))
    names, cell = np.unique(unit * 10_000 + candle, return_inverse=True)
    n, d = sums(y, cell, len(names)), sums(one, cell, len(names))
    units = UnitSums(sums(y, unit, 60), sums(one, unit, 60), ((n * n).sum(), (n * d).sum(), (d * d).sum()))
    return Sample(sums(y, candle, 400), sums(one, candle, 400), units)


def test_variance_by_user_and_time_equals_that_of_a_regression_with_two_clusters() -> None:
    """With equal weights the difference is the coefficient of a regression clustered by user and candle.

    A user's influence is divided by 1 minus its share of the data. Users with equal shares make that one factor.
    """
    rng = np.random.default_rng(1)
    users, candles = 60, 400
    user, candle = (index.ravel() for index in np.indices((users, candles)))
    y = rng.normal(size=users)[user] + rng.normal(size=candles)[candle] + rng.normal(size=len(user))
    is_b = user % 2 == 1
    a, b = (ratio(by_unit(y[side], candle[side], user[side])) for side in (~is_b, is_b))
    found = difference(a, b)
    independent = CandleTimes(np.arange(candles), np.arange(candles, dtype=np.float64), ())

    fit = sm.OLS(y, sm.add_constant(is_b.astype(float))).fit()
    both, by_user, by_candle = cov_cluster_2groups(fit, user, candle, use_correction=False)
    factor = (1 - 1 / 30) ** 2
    units = found.units
    assert units is not None
    assert units.number == 30
    assert units.between * factor == pytest.approx(by_user[1, 1])
    assert np.square(found.influence).sum() == pytest.approx(by_candle[1, 1])
    together = by_candle[1, 1] + units.between - units.within
    assert units.between * factor - units.within + by_candle[1, 1] == pytest.approx(both[1, 1])
    assert estimate_at(found, independent).variance == pytest.approx(together, rel=1e-3)


def test_a_unit_with_all_data_leaves_the_error_unknown() -> None:
    one = UnitSums(np.array([3.0]), np.array([5.0]), (np.asarray(9.0), np.asarray(15.0), np.asarray(25.0)))
    found = ratio(Sample(np.ones(5) * 0.6, np.ones(5), one))
    assert found.units is not None
    assert found.units.between in (0.0, math.inf)
    other = UnitSums(np.array([3.0, 0.0]), np.array([5.0, 1.0]), (np.asarray(9.0), np.asarray(15.0), np.asarray(26.0)))
    moved = ratio(Sample(np.ones(6) * 0.5, np.ones(6), other)).units
    assert moved is not None
    # Without the first unit the ratio is 0 instead of 0.5, without the second 0.6.
    assert moved.between == pytest.approx(0.5**2 + 0.1**2)


def test_an_interval_counts_from_300_times_and_30_units_a_side() -> None:
    for times, units, valid in ((300, 30, True), (299, 30, False), (300, 29, False), (300, math.inf, True)):
        made = Estimate(np.asarray(0.5), np.asarray(0.1), np.asarray(500.0), np.asarray(times), np.asarray(units))
        assert bool(made.valid) is valid
