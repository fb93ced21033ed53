"""Exact tests from counts alone; those called sequential hold at every look, however often somebody looks.

A test martingale starts at 1 and is not expected to grow while the hypothesis is true; Ville's inequality bounds how
often it ever reaches 1/level by the level. So its reciprocal is an always-valid p-value.
"""

from __future__ import annotations

import math

import numpy as np

from core.features.candles import Floats

# How strongly the alternative of `share_p_value` is drawn to the share expected: as if so many had been seen before.
# Deviations of about 5 percentage points from a half are found soonest.
_SEEN_BEFORE = 100.0

# The alternatives of `log_evidence`: the limit's odds, raised by factors from 1.05 to 76.
_LOG_ODDS = 0.05 * 1.5 ** np.arange(12)


def share_p_value(first: int, second: int, share: float) -> float:
    """Sequential p-value of the hypothesis that each of first + second fell to the first with probability `share`.

    The likelihood ratio of a beta mixture around the share: Lindon, Malek: Anytime-valid inference for multinomial
    count data (NeurIPS 2022, arXiv 2011.03567), for two cells. A share of 0 or 1 is refuted by a single contradiction.
    """
    if share in {0.0, 1.0}:
        return 0.0 if (first if share == 0.0 else second) > 0 else 1.0
    a, b = _SEEN_BEFORE * share, _SEEN_BEFORE * (1 - share)
    mixture = _log_beta(a + first, b + second) - _log_beta(a, b)
    evidence = mixture - first * math.log(share) - second * math.log1p(-share)
    return math.exp(min(-evidence, 0.0))


def chi_square(first: int, second: int, share: float) -> tuple[float, float]:
    """Pearson's statistic and its p-value with one degree of freedom, for a single look; `share` within 0 and 1."""
    n = first + second
    statistic = (first - n * share) ** 2 / (n * share * (1 - share))
    return statistic, math.erfc(math.sqrt(statistic / 2))


def mcnemar(first: int, second: int) -> float:
    """McNemar's exact p-value of the discordant pairs, for a single look: two-sided, binomial with a half."""
    n, fewer = first + second, min(first, second)
    k = np.arange(1, fewer + 1)
    log_ways = np.concatenate([[0.0], np.cumsum(np.log((n - k + 1) / k))])
    return min(1.0, 2 * float(np.exp(log_ways - n * math.log(2)).sum()))


def log_evidence(successes: Floats | int, n: Floats | int, limit: float, cluster: int = 1) -> Floats:
    """Logarithm of a test martingale against the hypothesis that no success is likelier than `limit`.

    The mean of the likelihood ratios against a few rates above the limit; each is a supermartingale for every rate up
    to the limit. `cluster`: neighbours are so much alike that this many weigh as one. Arrays give arrays.
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
