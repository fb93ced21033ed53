"""The sums by unit that a report needs: by user in split mode, by user and block in crossover mode.

Unlike the rest of a report, they are computed from the exposures, because a prediction's weight depends on how many
others were made on its candle. So their cost grows with the number of exposures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.experiments.candle_table import UNIT_METRICS, UnitMetric, Units, UnitSums
from core.experiments.experiment import VARIANTS, Metric
from core.features.candles import Floats
from core.features.labels import LONG, SHORT, UNKNOWN
from core.store.drivers.database import Connection

_TRADE = "e.signal <> 'hold'"
_RIGHT = f"(e.signal = 'long' AND c.label = {LONG} OR e.signal = 'short' AND c.label = {SHORT})"
_REVERSAL = f"c.label IN ({LONG}, {SHORT})"
_KNOWN = f"c.label <> {UNKNOWN}"


def _side(*names: str) -> str:
    """The sum of these columns of the prediction's own side."""
    a, b = (" + ".join(f"c.{side}_{name}" for name in names) for side in "ab")
    return f"CASE e.variant WHEN 'A' THEN {a} ELSE {b} END"


# By metric: the amount of one prediction, the condition under which it counts, and the number of those that count on
# its candle, by which it is divided. They are those of core.statistics.samples.
_AMOUNTS: dict[UnitMetric, tuple[str, str, str]] = {
    "hold_rate": ("CASE WHEN e.signal = 'hold' THEN 1 ELSE 0 END", "1 = 1", _side("predictions")),
    "confidence": ("e.confidence", "1 = 1", _side("predictions")),
    "win_rate_reported": (
        "CASE WHEN o.outcome = 'win' THEN 1 ELSE 0 END",
        "o.outcome IN ('win', 'loss')",
        _side("wins", "losses"),
    ),
    "mean_pnl_reported": ("o.pnl_pips", "o.pnl_pips IS NOT NULL", _side("pnl_count")),
    "win_rate_labels": (f"CASE WHEN {_RIGHT} THEN 1 ELSE 0 END", f"{_KNOWN} AND {_TRADE}", _side("predictions")),
    "mean_pnl_labels": (
        "CASE WHEN e.signal = 'long' THEN c.move_pips ELSE -c.move_pips END",
        f"{_KNOWN} AND {_TRADE}",
        _side("predictions"),
    ),
    "pnl_per_candle_reported": (
        f"CASE WHEN {_TRADE} THEN o.pnl_pips ELSE 0 END",
        "(e.signal = 'hold' OR o.pnl_pips IS NOT NULL)",
        _side("holds", "pnl_count"),
    ),
    "pnl_per_candle_labels": (
        "CASE e.signal WHEN 'long' THEN c.move_pips WHEN 'short' THEN -c.move_pips ELSE 0 END",
        _KNOWN,
        _side("predictions"),
    ),
    "recall": (f"CASE WHEN {_RIGHT} THEN 1 ELSE 0 END", _REVERSAL, _side("predictions")),
}


def units(connection: Connection, experiment_id: str, metric: Metric, settled_until: Mapping[str, float]) -> Units:
    """See Store."""
    ended = "o.pnl_pips IS NOT NULL" if metric == "mean_pnl" else "o.outcome IS NOT NULL"
    whens = " ".join(f"WHEN '{timeframe}' THEN {until:.0f}" for timeframe, until in settled_until.items())
    settled = f"CAST(SUBSTR(e.candle, 3) AS BIGINT) <= CASE e.timeframe {whens} END" if whens else "1 = 0"
    reporting = (f"CASE WHEN {ended} THEN 1 ELSE 0 END", f"{_TRADE} AND {settled}", _side("longs", "shorts"))
    amounts = {**_AMOUNTS, "reporting_rate": reporting}
    cells, outer = [], []
    for i, name in enumerate(UNIT_METRICS):
        amount, counts, of = amounts[name]
        weight = f"CASE WHEN {counts} THEN CAST(1 AS DOUBLE PRECISION) / NULLIF({of}, 0) ELSE 0 END"
        cells += [
            f"SUM(CASE WHEN {counts} THEN ({amount}) * {weight} ELSE 0 END) AS n{i}",
            f"SUM({weight}) AS d{i}",
        ]
        outer += [f"SUM(n{i})", f"SUM(d{i})", f"SUM(n{i} * n{i})", f"SUM(n{i} * d{i})", f"SUM(d{i} * d{i})"]
    # The experiments of old releases can hold a candle without a row, which the inner join leaves out.
    query = f"""
        SELECT variant, {", ".join(outer)} FROM (
            SELECT e.variant, e.pseudonym, e.block, {", ".join(cells)}
            FROM exposures AS e
            JOIN candles AS c ON c.experiment_id = e.experiment_id AND c.pair = e.pair AND c.timeframe = e.timeframe
                AND c.candle = e.candle
            LEFT JOIN outcomes AS o ON o.prediction_id = e.prediction_id
            WHERE e.experiment_id = ? AND e.fallback_reason IS NULL AND e.pseudonym IS NOT NULL
                AND SUBSTR(e.candle, 1, 2) = 't:'
            GROUP BY e.variant, e.pseudonym, e.block, e.candle
        ) AS cells
        GROUP BY variant, pseudonym, block ORDER BY variant, pseudonym, block"""  # noqa: S608 - constant names
    rows = connection.rows(query, [experiment_id])
    by_variant = {variant: _array([row[1:] for row in rows if row[0] == variant]) for variant in VARIANTS}
    return {
        name: {variant: _sums(by_variant[variant][5 * i : 5 * i + 5]) for variant in VARIANTS}
        for i, name in enumerate(UNIT_METRICS)
    }


def _array(rows: Sequence[Sequence[float | None]]) -> Floats:
    """The columns of these rows, shape (5 * metrics, rows)."""
    return np.array(rows, dtype=np.float64).reshape(len(rows), 5 * len(UNIT_METRICS)).T


def _sums(columns: Floats) -> UnitSums:
    numerator, denominator, *squares = columns
    nn, nd, dd = (column.sum() for column in squares)
    return UnitSums(numerator, denominator, (nn, nd, dd))
