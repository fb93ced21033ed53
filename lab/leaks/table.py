"""Checks of features and labels: the same table from bars with another future."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from core.features.labels import UNKNOWN
from lab.history import History
from lab.leaks import futures
from lab.leaks.preparation import Leak, Preparation, keys, label_ends, place
from lab.panel import Panel, Rows
from lab.scores import auc

# The AUC of one feature alone above which it is not believed. The best real one on the committed data has 0.6.
TOO_GOOD = 0.8
_CHANCE = 0.5
# Short series are summed in another order. Relative to the value, and to the spread of the feature.
_ROUNDING = 1e-9
# Whole weeks, so that hour and weekday stay.
_YEAR = np.timedelta64(364, "D").astype("timedelta64[s]")


def check(preparation: Preparation, histories: Sequence[History], moments: futures.Moments) -> Iterator[Leak]:
    """Every check of the table. Only the first place of each finding is given."""
    whole = preparation.table(histories)
    ends = label_ends(whole)
    seen: set[tuple[str, str]] = set()
    depends = turns = False
    for moment in moments:
        for how, other in (
            ("are cut off", preparation.table(futures.cut(histories, moment))),
            ("are changed", preparation.table(futures.changed(histories, moment))),
        ):
            rows, others = _common(whole, other)
            now = whole.times[rows] <= moment
            rows, others = rows[now], others[now]
            for name, row in _different(whole, other, rows, others):
                if ("features", name) not in seen:
                    seen.add(("features", name))
                    yield Leak("features", f"{name} of {place(whole, row)} if bars after {moment} {how}")
            # Where gaps are filled, the rows of the horizon may be missing in a table that ends in the gap.
            done = (ends[rows] <= moment) & (label_ends(other)[others] <= moment)
            differ = whole.labels[rows] != other.labels[others]
            depends |= bool((differ & (ends[rows] > moment) & (how == "are changed")).any())
            turns |= bool((differ & (whole.labels[rows] > 0) & (other.labels[others] > 0)).any())
            if (differ & done).any() and ("horizon", "") not in seen:
                seen.add(("horizon", ""))
                row = rows[np.flatnonzero(differ & done)[0]]
                yield Leak(
                    "horizon",
                    f"the label of {place(whole, row)} depends on bars after {moment}, more than {whole.horizon} later",
                )
    if not depends:
        yield Leak("past", f"no label near {len(moments)} moments changes with the bars after the moment")
    yield from _still(preparation, histories, moments)
    yield from _dates(preparation, histories, whole)
    yield from _too_good(whole, turns=turns)


def _still(preparation: Preparation, histories: Sequence[History], moments: futures.Moments) -> Iterator[Leak]:
    """If no price moves after a bar, its label is the same for all bars, or else it tells of the past."""
    found: dict[int, str] = {}
    for moment in moments:
        panel = preparation.table(futures.still(histories, moment))
        known = np.flatnonzero(panel.times <= moment)
        for pair in range(len(panel.pairs)):
            own = known[panel.pair[known] == pair]
            row = int(own[np.argmax(panel.times[own])])
            if panel.labels[row] != UNKNOWN:
                found.setdefault(int(panel.labels[row]), place(panel, row))
    if len(found) > 1:
        bars = ", ".join(f"{label} at {where}" for label, where in sorted(found.items()))
        yield Leak("past", f"without a move after the bar, labels differ: {bars}")


def _dates(preparation: Preparation, histories: Sequence[History], whole: Panel) -> Iterator[Leak]:
    """Features of the same bars 52 weeks later are the same; what differs knows dates."""
    other = preparation.table(futures.moved(histories, _YEAR))
    rows, others = _common(whole, other, _YEAR)
    if len(rows) == 0:
        yield Leak("dates", "no row has a bar of the same time, 52 weeks later")
    for name, row in _different(whole, other, rows, others):
        yield Leak("dates", f"{name} of {place(whole, row)} if all bars are 52 weeks later")


def _too_good(panel: Panel, *, turns: bool) -> Iterator[Leak]:
    """No feature alone ranks the labels nearly perfectly.

    turns: another future turns some labels round. If none, the rule takes the direction from the past, as that of a
    reversal, and any feature of the past may have it.
    """
    stages = [(1, panel.opportunity, panel.labels != UNKNOWN), (2, panel.short, panel.labels > 0)]
    for stage, truth, wanted in stages if turns else stages[:1]:
        for name, values in zip(panel.names, panel.features.T, strict=True):
            rows = wanted & np.isfinite(values)
            if not 0.0 < truth[rows].mean() < 1.0 if rows.any() else True:
                continue
            for which, score in ((name, values[rows]), (f"|{name}|", np.abs(values[rows]))):
                found = auc(truth[rows], score)
                if abs(found - _CHANCE) > TOO_GOOD - _CHANCE:
                    yield Leak("too good", f"{which} alone has an AUC of {found:.2f} for stage {stage}")


def _common(panel: Panel, other: Panel, later: np.timedelta64 | None = None) -> tuple[Rows, Rows]:
    """The rows of both with one pair and time; those of `other` are `later`. Of rows that occur twice, the first."""
    shift = 0 if later is None else int(later.astype(np.int64))
    _, rows, others = np.intersect1d(keys(panel), keys(other) - shift, return_indices=True)
    return rows, others


def _different(panel: Panel, other: Panel, rows: Rows, others: Rows) -> Iterator[tuple[str, int]]:
    """The features that differ, each with the last row at which it does."""
    for column, name in enumerate(panel.names):
        was, now = panel.features[rows, column], other.features[others, column]
        known = was[np.isfinite(was)]
        size = _ROUNDING * (known.std() if len(known) else 1.0)
        same = np.isclose(was, now, rtol=_ROUNDING, atol=size, equal_nan=True)
        if not same.all():
            yield name, int(rows[np.flatnonzero(~same)[-1]])
