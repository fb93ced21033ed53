"""Scores of probabilities, each with an interval from a bootstrap of whole weeks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Floats

Truth: TypeAlias = NDArray[np.float32]
Weeks: TypeAlias = NDArray[np.int64]
Groups: TypeAlias = NDArray[np.int8]

DRAWS = 400
_BINS = 20


class Scored(NamedTuple):
    """A score and its interval of 95 %."""

    value: float
    low: float
    high: float

    def rounded(self) -> list[float]:
        """Value, low and high, with four digits."""
        return [round(each, 4) for each in self]


def weeks(times: NDArray[np.datetime64]) -> Weeks:
    """The number of each time's week, which begins on Monday, UTC."""
    return (times.astype("datetime64[D]").astype(np.int64) + 3) // 7


def auc(truth: Truth, score: Floats, weights: Floats | None = None) -> float:
    """The chance that a positive has a higher score than a negative; ties count half. Rows may have weights."""
    order = np.argsort(score, kind="stable")
    return _auc_sorted(truth[order].astype(np.float64), score[order], None if weights is None else weights[order])


def _auc_sorted(truth: Floats, score: Floats, weights: Floats | None) -> float:
    weight = np.ones(len(truth)) if weights is None else weights
    starts = np.flatnonzero(np.concatenate([[True], score[1:] != score[:-1]]))
    positive = np.add.reduceat(weight * truth, starts)
    negative = np.add.reduceat(weight * (1.0 - truth), starts)
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum() / (positive.sum() * negative.sum()))


def block_weights(week: Weeks, draws: int = DRAWS, seed: int = 0) -> NDArray[np.float64]:
    """How often each row counts in each draw, float64 (draws, n). Weeks are drawn with replacement, all pairs together.

    Labels of neighbouring bars overlap and pairs move together, so rows are not independent; weeks nearly are
    (Künsch 1989, the block bootstrap).
    """
    number, row = np.unique(week, return_inverse=True)
    random = np.random.default_rng(seed)
    counts = np.stack(
        [np.bincount(random.integers(0, len(number), len(number)), minlength=len(number)) for _ in range(draws)]
    )
    return counts[:, row].astype(np.float64)


def auc_draws(truth: Truth, score: Floats, weights: NDArray[np.float64]) -> Floats:
    """The AUC of each draw, shape (draws,)."""
    order = np.argsort(score, kind="stable")
    sorted_truth, sorted_score = truth[order].astype(np.float64), score[order]
    return np.array([_auc_sorted(sorted_truth, sorted_score, draw[order]) for draw in weights])


def scored(value: float, draws: Floats) -> Scored:
    """A score with the 2.5 % and 97.5 % quantiles of its draws."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return Scored(value, float(low), float(high))


def paired(truth: Truth, better: Floats, worse: Floats, weights: NDArray[np.float64]) -> Scored:
    """The difference of two AUCs on the same rows; each draw compares the two on the same weeks."""
    draws = auc_draws(truth, better, weights) - auc_draws(truth, worse, weights)
    return scored(auc(truth, better) - auc(truth, worse), draws)


def by_group(truth: Truth, score: Floats, group: Groups, names: Sequence[str]) -> dict[str, float]:
    """The AUC within each group, such as a pair, by its name; groups without both classes are left out."""
    found = {}
    for number, name in enumerate(names):
        rows = group == number
        if 0.0 < truth[rows].sum() < rows.sum():
            found[name] = round(auc(truth[rows], score[rows]), 4)
    return found


class Reliability(NamedTuple):
    """Bins of equal counts: the mean probability, the share of positives, and the number of rows of each."""

    predicted: list[float]
    observed: list[float]
    counts: list[int]

    @property
    def error(self) -> float:
        """The expected calibration error: the mean distance of the two, weighted by the counts (Naeini et al. 2015)."""
        gaps = np.abs(np.array(self.predicted) - np.array(self.observed))
        return float(np.average(gaps, weights=self.counts))


def reliability(truth: Truth, probability: Floats, bins: int = _BINS) -> Reliability:
    """How often what is said to be likely happens."""
    parts = [part for part in np.array_split(np.argsort(probability, kind="stable"), bins) if len(part)]
    return Reliability(
        [float(probability[part].mean()) for part in parts],
        [float(truth[part].mean()) for part in parts],
        [len(part) for part in parts],
    )


class AtThreshold(NamedTuple):
    """What the answers at or above a threshold are worth. base_rate: the precision of answering at random."""

    threshold: float
    share: float
    precision: float
    recall: float
    base_rate: float


def at_threshold(truth: Truth, probability: Floats, threshold: float) -> AtThreshold:
    """Precision and recall; the precision is NaN if no answer reaches the threshold."""
    found = probability >= threshold
    hits = float(truth[found].sum())
    precision = hits / float(found.sum()) if found.any() else float("nan")
    return AtThreshold(threshold, float(found.mean()), precision, hits / float(truth.sum()), float(truth.mean()))
