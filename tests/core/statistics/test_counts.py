"""The exact tests, compared with SciPy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from core.statistics import counts


@pytest.mark.parametrize(("a", "b", "share"), [(470, 530, 0.5), (95, 5, 0.9), (0, 40, 0.3), (7_000, 3_000, 0.7)])
def test_share_p_value_is_the_likelihood_ratio_of_the_beta_mixture(a: int, b: int, share: float) -> None:
    mixture = stats.betabinom.logpmf(a, a + b, 100 * share, 100 * (1 - share))
    expected = stats.binom.logpmf(a, a + b, share) - mixture
    assert counts.share_p_value(a, b, share) == pytest.approx(math.exp(min(0.0, expected)), rel=1e-8)


def test_share_p_value_without_observations_is_one() -> None:
    assert counts.share_p_value(0, 0, 0.5) == 1.0


@pytest.mark.parametrize(
    ("a", "b", "share", "p"), [(9, 0, 1.0, 1.0), (9, 1, 1.0, 0.0), (0, 9, 0.0, 1.0), (1, 9, 0.0, 0.0)]
)
def test_a_share_of_0_or_1_is_refuted_by_one_observation(a: int, b: int, share: float, p: float) -> None:
    assert counts.share_p_value(a, b, share) == p


@pytest.mark.parametrize(("a", "b", "share"), [(520, 480, 0.5), (95, 25, 0.9), (3, 0, 0.2)])
def test_chi_square_equals_scipys(a: int, b: int, share: float) -> None:
    expected = stats.chisquare([a, b], [(a + b) * share, (a + b) * (1 - share)])
    assert counts.chi_square(a, b, share) == pytest.approx((expected.statistic, expected.pvalue))


@pytest.mark.parametrize(("b", "c"), [(0, 0), (0, 1), (3, 9), (10, 10), (11, 10), (700, 800), (40_000, 40_900)])
def test_mcnemar_equals_statsmodels(b: int, c: int) -> None:
    expected = mcnemar([[5, b], [c, 5]], exact=True).pvalue if b + c else 1.0
    assert counts.mcnemar(b, c) == pytest.approx(expected, rel=1e-6)


def test_evidence_is_the_mean_of_likelihood_ratios() -> None:
    """Computed by hand: 3 failures of 40 at a limit of 2 %, over the twelve alternatives."""
    odds = [0.02 / 0.98 * math.exp(0.05 * 1.5**k) for k in range(12)]
    rates = [o / (1 + o) for o in odds]
    ratios = [stats.binom.pmf(3, 40, rate) / stats.binom.pmf(3, 40, 0.02) for rate in rates]
    assert math.exp(counts.log_evidence(3, 40, 0.02)) == pytest.approx(np.mean(ratios), rel=1e-9)


@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_evidence_is_not_expected_to_grow_while_the_limit_is_kept(rate: float) -> None:
    """The mean of the martingale after 60 trials, summed over all counts, is exactly 1 at the limit and less below."""
    k = np.arange(61)
    mean = (stats.binom.pmf(k, 60, rate) * np.exp(counts.log_evidence(k.astype(np.float64), 60, 0.05))).sum()
    assert mean == pytest.approx(1.0, rel=1e-9) if rate == 0.05 else mean < 1.0


def test_evidence_at_the_ends_of_the_range() -> None:
    assert counts.log_evidence(0, 100, 0.0) == 0.0
    assert counts.log_evidence(1, 100, 0.0) == math.inf
    assert counts.log_evidence(100, 100, 1.0) == 0.0
    assert counts.log_evidence(0, 0, 0.1) == pytest.approx(0.0)


def test_clusters_weigh_as_one() -> None:
    assert counts.log_evidence(200, 400, 0.1, cluster=20) == pytest.approx(counts.log_evidence(10, 20, 0.1))
