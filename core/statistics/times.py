"""The error that comes from the times of candles: what happens at one time, and near it in time, is correlated.

All pairs share the market's moves, so candles that open at the same time are one cluster. Outcomes over a horizon
overlap, and trades come in runs, so neighbouring times are correlated too. Neighbours are found by the candles' own
times, so that the order in which records arrive does not matter.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.experiments.candle_table import CandleTable
from core.features.candles import Floats
from core.features.timeframes import PERIODS


class CandleTimes(NamedTuple):
    """The distinct times of a table, whose rows are in order of time.

    starts: the index of the first row of each time, shape (t,). at: the times in milliseconds, ascending, shape (t,).
    reaches: the distances in milliseconds over which neighbours are taken as correlated, one after the other.
    """

    starts: NDArray[np.intp]
    at: Floats
    reaches: tuple[float, ...]


def times_of(table: CandleTable) -> CandleTimes:
    """The distinct times of a table.

    The distances are sqrt(n) and 2 sqrt(n) periods, with n the number of distinct times, for each timeframe.
    """
    starts = np.flatnonzero(np.diff(table.time, prepend=-np.inf) > 0)
    reaches: set[float] = set()
    for place, (_, timeframe) in enumerate(table.places):
        n = len(np.unique(table.time[table.place == place]))
        width = math.ceil(math.sqrt(n)) * PERIODS[timeframe]
        reaches |= {width, 2 * width} if n else set()
    return CandleTimes(starts, table.time[starts], tuple(sorted(reaches)))


def totals(values: Floats, times: CandleTimes) -> Floats:
    """Sums of the rows of each time, shape (..., t)."""
    if not len(times.starts):
        return values[..., :0]
    found: Floats = np.add.reduceat(values, times.starts, axis=-1)
    return found


def variance_of_sum(influence: Floats, times: CandleTimes) -> Floats:
    """The variance of the sum of a series with mean zero; `influence` has a value per time, shape (..., t).

    The largest of several estimates: that of independent times, and Newey and West's (1987) over each of the distances.
    The largest is taken because these estimates are noisy, and one that is too small makes intervals too narrow.
    The first is a lower bound: negative correlation does not narrow an interval.
    """
    found: Floats = np.square(influence).sum(axis=-1)
    for reach in times.reaches:
        found = np.maximum(found, newey_west(influence, times.at, reach))
    return found


def newey_west(influence: Floats, at: Floats, reach: float) -> Floats:
    """Newey and West's variance of a sum: the products of all pairs, weighted by 1 - distance / reach.

    influence: shape (..., t). at: ascending times, shape (t,). reach: a distance in the unit of `at`, above 0.
    It is the mean square of the sums within all windows of length `reach`, an integral over the window's position. The
    sum changes only where a time enters or leaves the window, so the integral is computed exactly.
    """
    if not len(at):
        return np.zeros(influence.shape[:-1])
    edges = np.sort(np.concatenate([at - reach, at]))
    left, right = (np.searchsorted(at, edges + shift, side="right") for shift in (0.0, reach))
    running = np.cumsum(influence, axis=-1)
    running = np.concatenate([np.zeros((*influence.shape[:-1], 1)), running], axis=-1)
    sums = (running[..., right] - running[..., left])[..., :-1]
    found: Floats = (np.square(sums) * np.diff(edges)).sum(axis=-1) / reach
    return found
