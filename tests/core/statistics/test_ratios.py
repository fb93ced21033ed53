"""Ratios, differences and their variances, compared with hand calculation, statsmodels and the bootstrap."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.sandwich_covariance import S_hac_simple

from core.features.candles import Floats
from core.statistics import sequences
from core.statistics.ratios import Sample, difference, estimate, newey_west, ratio, sharpe, variance_of_sum


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


@pytest.mark.parametrize(("n", "width"), [(1, 1), (5, 3), (5, 9), (100, 1), (1_000, 32)])
def test_newey_west_equals_statsmodels(n: int, width: int) -> None:
    influence = np.cumsum(np.random.default_rng(2).normal(size=n))
    influence -= influence.mean()
    # statsmodels accepts no more lags than the series has values.
    padded = np.append(influence, np.zeros(width))
    assert newey_west(influence, width) == pytest.approx(S_hac_simple(padded[:, None], nlags=width - 1)[0, 0])


def test_variance_of_the_sum_is_the_largest_of_three() -> None:
    rng = np.random.default_rng(9)
    chosen = set()
    for series in (rng.normal(size=400), np.cumsum(rng.normal(size=400)), np.repeat(rng.normal(size=40), 10)):
        candidates = [float(np.square(series).sum()), float(newey_west(series, 20)), float(newey_west(series, 40))]
        assert variance_of_sum(series) == max(candidates)
        chosen.add(candidates.index(max(candidates)))
    assert len(chosen) > 1


def test_negatively_correlated_neighbours_do_not_narrow_the_interval() -> None:
    influence = np.tile([1.0, -1.0], 50)
    assert variance_of_sum(influence) == 100.0


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
    assert there[1:] == pytest.approx(back[1:])


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
        assert [x[i] for x in together] == pytest.approx(list(alone))


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
