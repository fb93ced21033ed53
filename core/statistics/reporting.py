"""Whether the outcomes of both variants are reported equally often.

If the losses of one side are reported less often, that side looks better than it is. The losses that are missing cannot
be seen, but the rate of reports can: it differs between the sides as soon as one side leaves something out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.experiments.candle_table import CandleTable, Side, Units
from core.experiments.experiment import Metric, Variant
from core.features.timeframes import PERIODS
from core.statistics import formatting, samples, sequences
from core.statistics.ratios import Sample, difference, estimate, ratio
from core.statistics.times import CandleTimes

# The probability that two sides that report equally often are ever called different is at most this.
LEVEL = 0.01
# A trade counts once its candle is this many periods older than the newest one: by then it should have been closed and
# reported. Trades that are still open say nothing about reporting.
SETTLED_PERIODS = 48


def settled_until(table: CandleTable, *, stopped: bool) -> dict[str, float]:
    """By timeframe, the latest time of a candle whose trades should have been reported, in milliseconds.

    In a stopped experiment these are all, because no newer candle will come.
    """
    periods = 0 if stopped else SETTLED_PERIODS
    found: dict[str, float] = {}
    for place, (_, timeframe) in enumerate(table.places):
        of_place = table.time[(table.place == place) & np.isfinite(table.time)]
        if len(of_place):
            newest = float(of_place.max()) - periods * PERIODS[timeframe]
            found[timeframe] = max(newest, found.get(timeframe, newest))
    return found


def reporting_rate(side: Side, table: CandleTable, metric: Metric, *, stopped: bool = False) -> Sample:
    """The share of settled trades with a reported outcome; for `mean_pnl`, with a reported P&L."""
    ended = side.pnl_count if metric == "mean_pnl" else side.wins + side.losses + side.neutrals
    trades = (side.longs + side.shorts) * _settled(table, stopped=stopped)
    return samples.mean(ended, trades)


def reporting(
    table: CandleTable, metric: Metric, units: Units | None, times: CandleTimes, *, stopped: bool
) -> dict[str, Any]:
    """The report's `reporting`: the rates, their difference, and whether it is certain that they differ."""
    sides: tuple[tuple[Side, Variant], ...] = ((table.a, "A"), (table.b, "B"))
    a, b = (
        ratio(
            samples.by_unit(reporting_rate(side, table, metric, stopped=stopped), units, "reporting_rate", variant),
            formatting.RATE,
        )
        for side, variant in sides
    )
    apart = estimate(difference(a, b), times)
    p = float(sequences.p_value(apart))
    return {
        "A": formatting.estimate(estimate(a, times), formatting.SHARE),
        "B": formatting.estimate(estimate(b, times), formatting.SHARE),
        "p_value": p,
        "level": LEVEL,
        "valid": bool(apart.valid),
        "differs": bool(apart.valid) and p <= LEVEL,
    }


def _settled(table: CandleTable, *, stopped: bool) -> NDArray[np.bool_]:
    until = settled_until(table, stopped=stopped)
    limits = np.array([until.get(timeframe, np.nan) for _, timeframe in table.places])
    settled: NDArray[np.bool_] = table.time <= limits[table.place] if len(limits) else np.zeros(len(table), bool)
    return settled
