"""How a detector comes from bars, as four functions that the audit calls with other futures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lab.history import History
from lab.panel import Mask, Panel, Rows
from lab.splits import Split

Named: TypeAlias = Mapping[str, Any]


class Learned(NamedTuple):
    """What the steps after the split find out, by name: arrays, numbers and texts, such as the text of a model.

    fitted: from the training part only: scalers, chosen features, models. chosen: from training and validation:
    thresholds, temperatures, a number of trees. Fixed settings do not belong here.
    """

    fitted: Named
    chosen: Named


class Preparation(NamedTuple):
    """One way to make a detector.

    table: bars of all pairs to features and labels, with all that is done to the bars before it, such as filled gaps.
    split: the rows that each part uses. A row is used if its window is complete and its label is known.
    inputs: what a model sees for these rows, (len(rows), ...), before any scaler. It must not call the catalogue again.
    learn: all that is fitted and chosen.
    window: how many bars a model sees. left_out: pairs that training and validation must not see.
    """

    table: Callable[[Sequence[History]], Panel]
    split: Callable[[Panel], Split]
    inputs: Callable[[Panel, Rows], NDArray[Any]]
    learn: Callable[[Panel, Split], Learned]
    window: int = 1
    left_out: tuple[str, ...] = ()


class Leak(NamedTuple):
    """One finding. check: a name in CHECKS of lab.leaks.audit. where: what differs, and at which bar."""

    check: str
    where: str


def in_windows(panel: Panel, rows: Mask, window: int) -> Mask:
    """The rows in the windows that end at `rows`."""
    found = rows.copy()
    for before in range(1, window):
        found[:-before] |= rows[before:] & (panel.pair[before:] == panel.pair[:-before])
    return found


def label_ends(panel: Panel) -> NDArray[np.datetime64]:
    """The time of the last bar that each row's label depends on; the end of all times if the table ends before it.

    By time within the row's pair, so that rows that are shuffled or occur twice have their own ends too.
    """
    key, row = np.unique(keys(panel), return_inverse=True)
    ends = np.full(len(key), np.datetime64("9999-01-01", "s"))
    pair, time = np.divmod(key, _SECONDS)
    later = panel.horizon
    own = pair[later:] == pair[: len(pair) - later]
    ends[: len(own)][own] = time[later:][own].astype("datetime64[s]")
    return ends[row]


def keys(panel: Panel) -> NDArray[np.int64]:
    """A number for each pair and time, which ascends with the pair and then with time."""
    found: NDArray[np.int64] = panel.pair.astype(np.int64) * _SECONDS + panel.times.astype(np.int64)
    return found


def place(panel: Panel, row: int) -> str:
    """The pair and time of a row, for a finding."""
    return f"{panel.pairs[panel.pair[row]]} {panel.times[row]}"


_SECONDS = 1 << 40  # more than a time has, 1970 to 9999
