"""Other futures of the same bars, and the moments at which the audit tries them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Floats
from lab.history import History

Moments = NDArray[np.datetime64]

# The first moment: the longest look-back of common features has not been reached, so that filled beginnings show.
_FIRST = 30
_IN_A_ROW, _GAPS, _LARGEST = 6, 2, 3
# Gaps and large bars of so many pairs: the steps are the same for all.
_PAIRS = 2
# By how much the mirrored path moves more than the real one, so that a size of moves differs too.
_STRONGER = 1.7


def moments(histories: Sequence[History], count: int, seed: int = 0) -> Moments:
    """Times at which a knowledge of later bars shows, ascending.

    Some bars in a row (a bar of a longer timeframe is open at most of them), the middle of gaps, the largest bars, an
    early bar, and `count` drawn at random.
    """
    random = np.random.default_rng(seed)
    found = []
    for history in histories[:_PAIRS]:
        times, size = history.timestamps, np.log(history.rows[:, 1] / history.rows[:, 2])
        steps = np.diff(times)
        gaps = np.flatnonzero(steps > step(times))
        gaps = gaps[np.argsort(steps[gaps], kind="stable")][:_GAPS]
        middle = times[gaps] + steps[gaps] // 2
        found += [middle, times[np.argsort(size)[-_LARGEST:]]]
    times = histories[0].timestamps
    row = times[len(times) // 2 :][:_IN_A_ROW]
    found += [row, times[_FIRST : _FIRST + 1], random.choice(times, count)]
    first = max(history.timestamps[min(_FIRST, len(history) - 1)] for history in histories)
    last = min(history.timestamps[-1] for history in histories)
    every: Moments = np.unique(np.concatenate(found))
    within: Moments = every[(every >= first) & (every < last)]
    return within


def step(times: Moments) -> np.timedelta64:
    """The time from bar to bar."""
    return np.timedelta64(int(np.median(np.diff(times).astype(np.int64))), "s")


def cut(histories: Sequence[History], moment: np.datetime64) -> list[History]:
    """Without the bars that open after the moment."""
    return [history.part(slice(0, _known(history, moment))) for history in histories]


def changed(histories: Sequence[History], moment: np.datetime64) -> list[History]:
    """The bars that open after the moment move the other way and more strongly; their times are the same."""

    def mirrored(rows: Floats, close: float) -> Floats:
        prices = close * (close / rows[:, :4]) ** _STRONGER
        # The mirrored low is the new high.
        return np.column_stack([prices[:, [0, 2, 1, 3]], 1.5 * rows[:, 4] + 1.0])

    return [_after(history, moment, mirrored) for history in histories]


def still(histories: Sequence[History], moment: np.datetime64) -> list[History]:
    """The bars that open after the moment all have the last known close as their only price."""

    def flat(rows: Floats, close: float) -> Floats:
        return np.column_stack([np.full((len(rows), 4), close), rows[:, 4]])

    return [_after(history, moment, flat) for history in histories]


def moved(histories: Sequence[History], by: np.timedelta64) -> list[History]:
    """The same bars at other times."""
    return [replace(history, timestamps=history.timestamps + by) for history in histories]


def _known(history: History, moment: np.datetime64) -> int:
    return int(np.searchsorted(history.timestamps, moment, side="right"))


def _after(history: History, moment: np.datetime64, made: Callable[[Floats, float], Floats]) -> History:
    known = _known(history, moment)
    rows = history.rows.copy()
    rows[known:] = made(rows[known:], float(rows[known - 1, 3]))
    return replace(history, rows=rows)
