"""Exact tests from counts. The sequential ones are valid at every look, however many looks there are.

A test martingale starts at 1, and its expectation does not grow while the hypothesis is true. By Ville's inequality,
the probability that it reaches 1/level at any time is at most the level. So its reciprocal is an always-valid p-value.
"""

from __future__ import annotations

import math

import numpy as np

from core.features.candles import Floats

# The weight of the beta prior of `share_p_value` around the expected share, in observations. With this weight,
# deviations of about 5 percentage points from a half are found soonest.
_PRIOR_WEIGHT = 100.0

# The alternatives of `log_evidence`: the limit's odds, multiplied by factors from 1.05 to 76.
_LOG_ODDS = 0.05 * 1.5 ** np.arange(12)


def share_p_value(first: int, second: int, share: float) -> float:
    """Sequential p-value of the hypothesis that each observation is of the first kind with probability `share`.

    `first`, `second`: the observed counts. The evidence is the likelihood ratio of a beta mixture around the share:
    Lindon, Malek: Anytime-valid inference for multinomial count data (NeurIPS 2022, arXiv 2011.03567), for two cells.
    A single contradiction refutes a share of 0 or 1.
    """
    if share in {0.0, 1.0}:
        return 0.0 if (first if share == 0.0 else second) > 0 else 1.0
    a, b = _PRIOR_WEIGHT * share, _PRIOR_WEIGHT * (1 - share)
    mixture = _log_beta(a + first, b + second) - _log_beta(a, b)
    evidence = mixture - first * math.log(share) - second * math.log1p(-share)
    return math.exp(min(-evidence, 0.0))


def chi_square(first: int, second: int, share: float) -> tuple[float, float]:
    """Pearson's statistic and its p-value with one degree of freedom, for a single look; `share` is in (0, 1)."""
    n = first + second
    statistic = (first - n * share) ** 2 / (n * share * (1 - share))
    return statistic, math.erfc(math.sqrt(statistic / 2))


def mcnemar(first: int, second: int) -> float:
    """McNemar's exact p-value of the discordant pairs, for a single look: two-sided, binomial with probability 0.5."""
    n, fewer = first + second, min(first, second)
    k = np.arange(1, fewer + 1)
    log_binomials = np.concatenate([[0.0], np.cumsum(np.log((n - k + 1) / k))])
    return min(1.0, 2 * float(np.exp(log_binomials - n * math.log(2)).sum()))


def log_evidence(successes: Floats | float, n: Floats | float, limit: float, cluster: int = 1) -> Floats:
    """Logarithm of a test martingale against the hypothesis that the probability of success is at most `limit`.

    The martingale is the mean of the likelihood ratios against 12 rates above the limit. Each ratio is a
    supermartingale for every true rate up to the limit. `cluster`: this many neighbours weigh as one observation,
    because they are correlated. Arrays give arrays.
    """
    good, bad = np.asarray(successes, np.float64), np.asarray(n, np.float64) - np.asarray(successes, np.float64)
    if limit <= 0:
        return np.where(good > 0, np.inf, 0.0)
    if limit >= 1:
        return np.zeros_like(good)
    odds = limit / (1 - limit) * np.exp(_LOG_ODDS)
    rates = odds / (1 + odds)
    on_success, on_failure = np.log(rates / limit), -np.log1p(odds) - math.log1p(-limit)
    ratios = (good[..., None] * on_success + bad[..., None] * on_failure) / cluster
    top = ratios.max(axis=-1)
    evidence: Floats = top + np.log(np.exp(ratios - top[..., None]).mean(axis=-1))
    return evidence


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
