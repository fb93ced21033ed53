"""Intervals by drawing whole weeks again: what happens within a week, over all pairs, stays together.

Signals of neighbouring candles share their windows, trades overlap, and pairs move together. So the unit that is drawn
is a calendar week of all pairs (the block bootstrap). The draws depend on the seed and the number of weeks only, so
that two versions are drawn alike and their difference is paired.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Floats

# With fewer weeks, intervals are too narrow.
MINIMUM_WEEKS = 26
_ENDS = (2.5, 97.5)
Json: TypeAlias = dict[str, Any]


class Draws(NamedTuple):
    """Weeks drawn again and again, shape (draws, weeks). order: indices of weeks. counts: how often a week is in it."""

    order: NDArray[np.intp]
    counts: Floats

    @classmethod
    def of(cls, weeks: int, draws: int, seed: int) -> Draws:
        """So many draws of so many weeks, with replacement."""
        order = np.random.default_rng([seed, weeks]).integers(weeks, size=(draws, weeks)) if weeks else _NOTHING
        places = order + weeks * np.arange(len(order))[:, None]
        counts = np.bincount(places.ravel(), minlength=len(order) * weeks).reshape(len(order), weeks)
        return cls(order, counts.astype(np.float64))

    @property
    def weeks(self) -> int:
        """The number of weeks."""
        return int(self.order.shape[1])


_NOTHING = np.empty((0, 0), np.intp)


class Sampled(NamedTuple):
    """A figure: its value, and that of each draw."""

    value: float
    draws: Floats

    def __sub__(self, other: Sampled) -> Sampled:
        """The difference of two figures of the same draws."""
        return Sampled(self.value - other.value, self.draws - other.draws)


def sums(index: NDArray[np.integer[Any]], weeks: int, *columns: Floats) -> Floats:
    """The sums of columns by week: shape (weeks, columns). index: the week of each row."""
    return np.stack([np.bincount(index, weights=column, minlength=weeks) for column in columns], axis=-1)


def figure(by_week: Floats, draws: Draws, of: Callable[[Floats], Floats]) -> Sampled:
    """A figure that is a function of sums by week. of: from sums, shape (..., columns), to values, shape (...)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return Sampled(float(of(by_week.sum(axis=0))), of(draws.counts @ by_week))


def share(total: Floats) -> Floats:
    """The first sum divided by the second one."""
    divided: Floats = total[..., 0] / total[..., 1]
    return divided


class Paths(NamedTuple):
    """What a week does to an account, in order: its sum, highest and lowest point, and the largest fall within it."""

    total: Floats
    highest: Floats
    lowest: Floats
    fall: Floats

    @classmethod
    def of(cls, changes: NDArray[Any], index: NDArray[np.integer[Any]], weeks: int) -> Paths:
        """The paths of changes in order of time. index: the week of each, ascending."""
        ends = np.searchsorted(index, np.arange(weeks + 1))
        found = np.zeros((4, weeks))
        for week, (begin, end) in enumerate(pairwise(ends.tolist())):
            course = np.concatenate(([0.0], np.cumsum(changes[begin:end])))
            fall = (np.maximum.accumulate(course) - course).max()
            found[:, week] = course[-1], course.max(), course.min(), fall
        return cls(*found)


def drawdown(paths: Paths, draws: Draws) -> Sampled:
    """The largest fall of an account from a high: of the weeks in their order, and of the drawn weeks in theirs."""
    actual = np.arange(draws.weeks)[None]
    return Sampled(float(_falls(paths, actual)[0]), _falls(paths, draws.order))


def _falls(paths: Paths, order: NDArray[np.intp]) -> Floats:
    total, high, worst = (np.zeros(len(order)) for _ in range(3))
    for drawn in order.T:
        worst = np.maximum(worst, np.maximum(paths.fall[drawn], high - total - paths.lowest[drawn]))
        high = np.maximum(high, total + paths.highest[drawn])
        total += paths.total[drawn]
    return worst


def shown(of: Sampled, weeks: int) -> Json:
    """A figure for JSON: null where it does not exist. valid: whether there are enough weeks for its interval."""
    if not np.isfinite(of.value):
        return {"estimate": None, "interval": None, "weeks": weeks, "valid": False}
    known = of.draws[np.isfinite(of.draws)]
    ends = [float(end) for end in np.percentile(known, _ENDS)] if len(known) and weeks > 1 else None
    return {"estimate": of.value, "interval": ends, "weeks": weeks, "valid": weeks >= MINIMUM_WEEKS}
