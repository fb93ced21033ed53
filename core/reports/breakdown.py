"""The experiment's metric by pair and timeframe, to look for surprises. It decides nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.experiments.candle_table import CandleTable
from core.experiments.experiment import Metric
from core.statistics import formatting
from core.statistics.ratios import Sample, Statistic, difference, estimate, ratio
from core.statistics.samples import Results
from core.statistics.times import times_of

# A report with a row for each of thousands of places would not be read.
MOST_PLACES = 50


def breakdown(table: CandleTable, results: Results, metric: Metric) -> dict[str, Any]:
    """The report's `breakdown`: A, B and B - A at each of the places with the most candles, largest first.

    table: candles whose time is known. results: the samples of the whole table, so that every place uses the source of
    the report. Of many intervals, each with its own error rate, some miss the true value; therefore `exploratory`.
    The sums by unit are not known by place. So where users are assigned, intervals leave out that users differ, and are
    not valid.
    """
    counts = np.bincount(table.place, minlength=len(table.places))
    by_place = np.argsort(table.place, kind="stable")  # candles of one place stay in order of time
    ends = np.cumsum(counts)
    largest = np.argsort(-counts, kind="stable")[: min(MOST_PLACES, np.count_nonzero(counts))]
    shown = (
        _place(table, place, by_place[ends[place] - counts[place] : ends[place]], results, metric)
        for place in largest.tolist()
    )
    return {"exploratory": True, "metric": metric, "total": int(np.count_nonzero(counts)), "places": list(shown)}


def _place(table: CandleTable, place: int, rows: NDArray[np.intp], results: Results, metric: Metric) -> dict[str, Any]:
    pair, timeframe = table.places[place]
    return {"pair": pair, "timeframe": timeframe, "candles": len(rows), **compared(table, rows, results, metric)}


def compared(table: CandleTable, rows: NDArray[np.intp], results: Results, metric: Metric) -> dict[str, dict[str, Any]]:
    """A, B and B - A in some rows of the table, which are in order of time. results: of the whole table."""
    rate = metric == "win_rate"
    one, both = (formatting.SHARE, formatting.SHARE_DIFFERENCE) if rate else (formatting.ANY, formatting.ANY)
    a, b = (_statistic(sample, rows, rate=rate) for sample in (results.a, results.b))
    places, place = np.unique(table.place[rows], return_inverse=True)
    alone = replace(table, time=table.time[rows], place=place, places=tuple(table.places[each] for each in places))
    times = times_of(alone)
    found: dict[str, dict[str, Any]] = {
        "A": formatting.estimate(estimate(a, times), one),
        "B": formatting.estimate(estimate(b, times), one),
        "difference": formatting.difference(estimate(difference(a, b), times), both),
    }
    if results.a.units is not None:
        found = {name: {**of, "valid": False} for name, of in found.items()}
    return found


def _statistic(sample: Sample, rows: NDArray[np.intp], *, rate: bool) -> Statistic:
    return ratio(Sample(sample.numerator[rows], sample.denominator[rows]), formatting.RATE if rate else None)
