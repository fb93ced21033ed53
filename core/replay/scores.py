"""Stage 1 against the labels: how well it ranks (AUC), and whether its probabilities are true (reliability, ECE)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Floats
from core.replay.weeks import Draws, Sampled, figure, sums

# The bins of the reliability diagram have equal widths.
BINS = 10


def auc(score: Floats, positive: NDArray[np.bool_], index: NDArray[np.integer[Any]], draws: Draws) -> Sampled:
    """The probability that a reversal has a higher score than another candle; equal scores count as half.

    index: the week of each candle. For each pair of weeks, the orderings between the reversals of one and the other
    candles of the other are counted once; every draw is then a sum over these counts, exactly as if it were sorted.
    """
    weeks = draws.weeks
    high, low = score[positive], score[~positive]
    high_week, low_week = index[positive], index[~positive]
    order = np.argsort(high, kind="stable")
    high, high_week = high[order], high_week[order]
    by_week = np.argsort(low_week, kind="stable")
    ends = np.searchsorted(low_week[by_week], np.arange(weeks + 1))
    above = np.zeros((weeks, weeks))
    for week in range(weeks):
        others = np.sort(low[by_week[ends[week] : ends[week + 1]]])
        if len(others):
            below = np.searchsorted(others, high, "left") + np.searchsorted(others, high, "right")
            above[:, week] = np.bincount(high_week, weights=below / 2.0, minlength=weeks)
    positives, negatives = (np.bincount(each, minlength=weeks).astype(np.float64) for each in (high_week, low_week))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = above.sum() / (positives.sum() * negatives.sum())
        ordered = np.einsum("dw,dw->d", draws.counts @ above, draws.counts)
        return Sampled(float(value), ordered / ((draws.counts @ positives) * (draws.counts @ negatives)))


class WeeklyReliability:
    """Sums of each bin by week: candles, their probabilities, and the reversals among them."""

    def __init__(
        self, probability: Floats, positive: NDArray[np.bool_], index: NDArray[np.integer[Any]], draws: Draws
    ) -> None:
        """index: the week of each candle."""
        self._draws = draws
        weeks = draws.weeks
        of_bin = np.minimum((probability * BINS).astype(np.intp), BINS - 1)
        place = of_bin * weeks + index
        columns = sums(place, BINS * weeks, np.ones(len(probability)), probability, positive.astype(np.float64))
        self.sums = columns.reshape(BINS, weeks, 3)

    def ece(self) -> Sampled:
        """The expected calibration error: the mean distance of a bin's probability from its share of reversals."""
        return figure(self.sums.transpose(1, 0, 2).reshape(self._draws.weeks, BINS * 3), self._draws, _ece)

    def bins(self) -> list[tuple[int, float, Sampled]]:
        """Of each bin with candles: their number, their mean probability, and their share of reversals."""
        found = []
        for each in self.sums:
            count, probability, _ = each.sum(axis=0)
            if count:
                share = figure(each[:, [2, 0]], self._draws, lambda total: total[..., 0] / total[..., 1])
                found.append((int(count), float(probability / count), share))
        return found


def _ece(total: Floats) -> Floats:
    count, probability, positive = np.moveaxis(total.reshape(*total.shape[:-1], BINS, 3), -1, 0)
    distance: Floats = np.abs(probability - positive).sum(axis=-1) / count.sum(axis=-1)
    return distance
