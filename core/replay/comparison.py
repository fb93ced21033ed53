"""Two versions on the same candles, as an experiment in shadow mode would have recorded and judged them.

The verdict, its interval and the rows by pair are those of core.reports.report: the same functions, from a table of
candles that is made here instead of in the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from core.experiments.candle_table import CandleTable, Side, Tally
from core.experiments.experiment import VARIANTS, Experiment, Metric
from core.features.candles import Floats
from core.features.labels import LONG, NONE, SHORT, UNKNOWN, Labels, in_pips
from core.inference.history import HistoryAnswers
from core.replay.market import Market, years_of
from core.reports.breakdown import compared
from core.reports.recorded import Recorded
from core.reports.report import experiment_report, rounded
from core.statistics import samples


class Both(NamedTuple):
    """The answers of two versions on a market, and the labels of its candles."""

    market: Market
    a: HistoryAnswers
    b: HistoryAnswers
    label: Labels


def compare(setting: Experiment, of: Sequence[Both], timeframe: str) -> dict[str, Any]:
    """The report of an experiment on the candles that both versions answered, with the same rows by year.

    setting: an experiment in shadow mode that names both versions, the metric and the smallest effect of interest.
    """
    if setting.label_rule is None:
        raise ValueError("setting: no label rule, whose horizon the P&L needs")
    table = _table(of, timeframe, setting.label_rule.horizon)
    tallies = {variant: _tally(side) for variant, side in zip(VARIANTS, (table.a, table.b), strict=True)}
    # A replay has no reported outcomes, also if no candle has a label.
    found = experiment_report(setting, Recorded(tallies, table, {}, 0, source="labels"))
    kept = ("verdict", "differences", "variants", "breakdown", "pairs")
    return {name: found[name] for name in kept} | {"years": _by_year(table.timed, setting.metric)}


def _table(of: Sequence[Both], timeframe: str, horizon: int) -> CandleTable:
    chosen, labels, moves, times, places = [], [], [], [], []
    for place, each in enumerate(of):
        market, close = each.market, each.market.candles.close
        rows = np.arange(market.rows.start, market.rows.stop)
        rows = rows[(each.a.signal[rows] != UNKNOWN) & (each.b.signal[rows] != UNKNOWN)]
        move = np.full(len(close), np.nan)
        move[:-horizon] = in_pips(close[horizon:] - close[:-horizon], market.pip)
        chosen.append((each.a.rows(rows), each.b.rows(rows)))
        labels.append(each.label[rows])
        moves.append(move[rows])
        times.append(market.opens[rows])
        places.append(np.full(len(rows), place, np.intp))
    label, move, time, where = (np.concatenate(column) for column in (labels, moves, times, places))
    named = tuple((each.market.pair, timeframe) for each in of)
    a, b = (_side([pair[variant] for pair in chosen]) for variant in (0, 1))
    return CandleTable(a, b, label, move, time, where, named)


def _side(parts: Sequence[HistoryAnswers]) -> Side:
    signal, confidence = (np.concatenate([getattr(each, name) for each in parts]) for name in ("signal", "confidence"))
    nothing = np.zeros(len(signal))
    holds, longs, shorts = (_ones(signal == code) for code in (NONE, LONG, SHORT))
    reported = (nothing,) * 5
    return Side(np.ones(len(signal)), holds, longs, shorts, confidence, np.square(confidence), *reported)


def _ones(which: Any) -> Floats:  # noqa: ANN401 - an array of booleans
    found: Floats = which.astype(np.float64)
    return found


def _tally(side: Side) -> Tally:
    count = len(side.predictions)
    signals = {
        name: int(column.sum()) for name, column in zip(_SIGNALS, (side.holds, side.longs, side.shorts), strict=True)
    }
    return Tally(
        predictions=count, signals=signals, confidence=float(side.confidence.sum()), users=0, units=0, candles=count,
        held_candles=signals["hold"], fallbacks=0, failures=0, refused=0, slow=0, unrecorded=0, warnings={}, surplus={},
        late=0,
    )  # fmt: skip


_SIGNALS = ("hold", "long", "short")


def _by_year(table: CandleTable, metric: Metric) -> list[dict[str, Any]]:
    """The metric of A, of B and the difference in each year; as the rows by pair, they decide nothing."""
    results = samples.results(table, metric, paired=True, source="labels")
    found = []
    of_row = years_of(table.time)
    for year in np.unique(of_row).tolist():
        rows = np.flatnonzero(of_row == year)
        found.append({"year": year, "candles": len(rows), **compared(table, rows, results, metric)})
    years: list[dict[str, Any]] = rounded(found)
    return years
