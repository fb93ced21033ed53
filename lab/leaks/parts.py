"""Checks of the bars, the split and the windows: what a part contains, and what a window reaches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Floats
from lab.history import History
from lab.leaks.futures import step
from lab.leaks.preparation import Leak, Preparation, in_windows, keys, label_ends, place
from lab.panel import Mask, Panel
from lab.splits import Split, of_pairs

PARTS = Split._fields
# A correlation of changes above this makes two pairs the same one. The largest one of two committed pairs is 0.72.
_SAME = 0.95
# Lags up to a day and a bit, and the correlation below which nothing can be said about the clock.
_LAGS, _RELATED = 26, 0.15
_WINDOWS = 4


def check_bars(preparation: Preparation, histories: Sequence[History]) -> Iterator[Leak]:
    """Pairs move at the same time, and no pair that is left out is in the training under another name."""
    moves = {history.pair: _moves(history) for history in histories}
    for pair, own in moves.items():
        others = [each for name, each in moves.items() if name != pair]
        related = {
            lag: max((abs(_correlation(own, other, lag)) for other in others), default=0.0)
            for lag in range(-_LAGS, _LAGS + 1)
        }
        best = max(related, key=related.__getitem__)
        if best != 0 and related[best] > _RELATED:
            yield Leak("clock", f"{pair} moves with the other pairs {best:+d} bars away from its own times")
    for pair in preparation.left_out:
        for other in moves.keys() - {*preparation.left_out}:
            size = abs(_correlation(moves[pair], moves[other], 0))
            if size > _SAME:
                yield Leak("pairs", f"{pair} is left out and moves as {other} does: {size:.3f}")


def check_split(preparation: Preparation, panel: Panel, split: Split) -> Iterator[Leak]:
    """Each part is later than the labels of the parts before it, over all pairs; no bar is in two of them."""
    ends, key = label_ends(panel), keys(panel)
    rows = {name: part for name, part in zip(PARTS, split, strict=True) if part.any()}
    for name in {"train", "test"} - set(rows):
        yield Leak("parts", f"the part {name} is empty")
    names = list(rows)
    for number, early in enumerate(names):
        for late in names[number + 1 :]:
            if np.isin(key[rows[early]], key[rows[late]]).any():
                yield Leak("parts", f"a bar is in {early} and in {late}")
            begins = panel.times[rows[late]].min()
            over = np.flatnonzero(rows[early] & (ends >= begins))
            if len(over):
                yield Leak(
                    "order",
                    f"{len(over)} labels of {early}, such as {place(panel, over[0])}, reach into {late}, from {begins}",
                )
    absent = of_pairs(panel, preparation.left_out)
    for name in ("train", "validation"):
        if name in rows and (rows[name] & absent).any():
            yield Leak("pairs", f"{name} has {np.count_nonzero(rows[name] & absent)} bars of pairs that are left out")


def check_windows(preparation: Preparation, panel: Panel, split: Split, seed: int = 0) -> Iterator[Leak]:
    """What a model sees of a row depends on the rows of its window only, all of one pair."""
    random = np.random.default_rng(seed)
    for name, part in zip(PARTS, split, strict=True):
        for pair in range(len(panel.pairs)):
            own = np.flatnonzero(part & (panel.pair == pair))
            if not len(own):
                continue
            for row in (own[0], own[-1], *random.choice(own, _WINDOWS)):
                one = np.zeros(len(panel), np.bool_)
                one[row] = True
                other = elsewhere(panel, in_windows(panel, one, preparation.window))
                here = np.array([row], np.intp)
                if preparation.inputs(panel, here).tobytes() != preparation.inputs(other, here).tobytes():
                    yield Leak("windows", f"the window of {place(panel, row)} in {name} has bars outside it")
                    return


def elsewhere(panel: Panel, kept: Mask) -> Panel:
    """The panel with other features in all rows but those."""
    return replace(panel, features=np.where(kept[:, None], panel.features, 1.0 - 2.0 * panel.features))


class _Moves(NamedTuple):
    """Where the bar before is one step away: the numbers of steps since 1970, and changes of the logarithm of close."""

    when: NDArray[np.int64]
    changes: Floats


def _moves(history: History) -> _Moves:
    steps, one = np.diff(history.timestamps), step(history.timestamps)
    return _Moves(
        history.timestamps[1:][steps == one].astype(np.int64) // int(one.astype(np.int64)),
        np.diff(np.log(history.rows[:, 3]))[steps == one],
    )


def _correlation(own: _Moves, other: _Moves, lag: int) -> float:
    """Of the changes from bar to bar, those of `other` so many bars later."""
    at = np.searchsorted(other.when, own.when + lag)
    at[at == len(other.when)] = 0
    both = other.when[at] == own.when + lag
    first, second = own.changes[both], other.changes[at[both]]
    size = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / size) if size > 0.0 else 0.0
