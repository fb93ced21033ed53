"""Two versions on the same candles, as an experiment in shadow mode would have recorded and judged them.

The verdict, its interval and the rows by pair are those of core.reports.report: the same functions, from a table of
candles that is made here instead of in the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


def compare(
    setting: Experiment,
    markets: Sequence[Market],
    a: Sequence[HistoryAnswers],
    b: Sequence[HistoryAnswers],
    labels: Sequence[Labels],
    timeframe: str,
) -> dict[str, Any]:
    """The report of an experiment on the candles that both versions answered, with the same rows by year.

    setting: an experiment in shadow mode that names both versions, the metric and the smallest effect of interest.
    a, b, labels: one entry for each market.
    """
    if setting.label_rule is None:
        raise ValueError("setting: no label rule, whose horizon the P&L needs")
    table = _table(markets, a, b, labels, timeframe, setting.label_rule.horizon)
    tallies = {variant: _tally(side) for variant, side in zip(VARIANTS, (table.a, table.b), strict=True)}
    found = experiment_report(setting, Recorded(tallies, table, {}, 0))
    kept = ("verdict", "differences", "variants", "breakdown", "pairs")
    return {name: found[name] for name in kept} | {"years": _by_year(table.timed, setting.metric)}


def _table(  # noqa: PLR0913, PLR0917 - as its caller
    markets: Sequence[Market],
    a: Sequence[HistoryAnswers],
    b: Sequence[HistoryAnswers],
    labels: Sequence[Labels],
    timeframe: str,
    horizon: int,
) -> CandleTable:
    parts = []
    for place, (market, of_a, of_b, label) in enumerate(zip(markets, a, b, labels, strict=True)):
        rows = np.arange(market.rows.start, market.rows.stop)
        rows = rows[(of_a.signal[rows] != UNKNOWN) & (of_b.signal[rows] != UNKNOWN)]
        close = market.candles.close
        move = np.full(len(close), np.nan)
        move[:-horizon] = in_pips(close[horizon:] - close[:-horizon], market.pip)
        where = np.full(len(rows), place, np.intp)
        parts.append((of_a.rows(rows), of_b.rows(rows), label[rows], move[rows], market.opens[rows], where))
    of_a, of_b, *columns = zip(*parts, strict=True)
    label, move, time, where = (np.concatenate(column) for column in columns)
    places = tuple((market.pair, timeframe) for market in markets)
    return CandleTable(_side(of_a), _side(of_b), label, move, time, where, places)


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
