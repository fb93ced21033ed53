"""The sums by unit that a report needs: by user in split mode, by user and block in crossover mode.

Unlike the rest of a report, they are computed from the exposures, because a prediction's weight depends on how many
others were made on its candle. So their cost grows with the number of exposures. With very many users, those of a
sample of the users are enough.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from core.experiments.candle_table import UNIT_METRICS, UnitMetric, Units, UnitSums
from core.experiments.experiment import VARIANTS, Metric, Variant
from core.features.candles import Floats
from core.features.labels import LONG, SHORT, UNKNOWN
from core.store.drivers.database import Connection

# Users of a variant whose predictions are read. The variance by users is then known to about a fourteenth. Pseudonyms
# are random, so those below a limit are a random sample, and the same one in every report.
MOST_USERS = 400

_RIGHT_LONG = f"e.signal = 'long' AND c.label = {LONG}"
_RIGHT_SHORT = f"e.signal = 'short' AND c.label = {SHORT}"
_RIGHT = f"CASE WHEN {_RIGHT_LONG} OR {_RIGHT_SHORT} THEN 1 ELSE 0 END"
_LABELLED_TRADE = f"c.label <> {UNKNOWN} AND e.signal <> 'hold'"


class _Amount(NamedTuple):
    """What one prediction adds to a metric, as SQL; it is that of core.statistics.samples.

    counts: the condition under which it counts. of: the columns of its side whose sum is the number of predictions
    that count on its candle, by which the amount is divided.
    """

    amount: str
    counts: str
    of: tuple[str, ...]


_AMOUNTS: dict[UnitMetric, _Amount] = {
    "hold_rate": _Amount("CASE WHEN e.signal = 'hold' THEN 1 ELSE 0 END", "1 = 1", ("predictions",)),
    "confidence": _Amount("e.confidence", "1 = 1", ("predictions",)),
    "win_rate_reported": _Amount(
        "CASE WHEN o.outcome = 'win' THEN 1 ELSE 0 END", "o.outcome IN ('win', 'loss')", ("wins", "losses")
    ),
    "mean_pnl_reported": _Amount("o.pnl_pips", "o.pnl_pips IS NOT NULL", ("pnl_count",)),
    "win_rate_labels": _Amount(_RIGHT, _LABELLED_TRADE, ("predictions",)),
    "mean_pnl_labels": _Amount(
        "CASE WHEN e.signal = 'long' THEN c.move_pips ELSE -c.move_pips END", _LABELLED_TRADE, ("predictions",)
    ),
    "pnl_per_candle_reported": _Amount(
        "CASE WHEN e.signal = 'hold' THEN 0 ELSE o.pnl_pips END",
        "(e.signal = 'hold' OR o.pnl_pips IS NOT NULL)",
        ("holds", "pnl_count"),
    ),
    "pnl_per_candle_labels": _Amount(
        "CASE e.signal WHEN 'long' THEN c.move_pips WHEN 'short' THEN -c.move_pips ELSE 0 END",
        f"c.label <> {UNKNOWN}",
        ("predictions",),
    ),
    "recall": _Amount(_RIGHT, f"c.label IN ({LONG}, {SHORT})", ("predictions",)),
}


def units(
    connection: Connection,
    experiment_id: str,
    metric: Metric,
    settled_until: Mapping[str, float],
    wanted: Collection[UnitMetric] = UNIT_METRICS,
) -> Units:
    """See Store."""
    amounts = {**_AMOUNTS, "reporting_rate": _reporting(metric, settled_until)}
    names = [name for name in UNIT_METRICS if name in wanted]
    found: dict[UnitMetric, dict[Variant, UnitSums]] = {}
    for variant in VARIANTS:
        share = _share(connection, experiment_id, variant)
        query = _query(variant, [amounts[name] for name in names], share)
        rows = connection.rows(query, [experiment_id, variant])
        columns = np.array(rows, dtype=np.float64).reshape(len(rows), _SUMS * len(names)).T
        for i, name in enumerate(names):
            found.setdefault(name, {})[variant] = _sums(columns[_SUMS * i : _SUMS * (i + 1)], share)
        for name in set(UNIT_METRICS) - set(names):
            found.setdefault(name, {})[variant] = _sums(np.zeros((_SUMS, 0)), share)
    return found


def _share(connection: Connection, experiment_id: str, variant: Variant) -> float:
    """The share of the variant's users whose predictions are read."""
    query = "SELECT COUNT(*) FROM users WHERE experiment_id = ? AND variant = ?"
    ((users,),) = connection.rows(query, [experiment_id, variant])
    return min(1.0, MOST_USERS / users) if users else 1.0


def _chosen(share: float) -> str:
    """The condition for this share of the users. Pseudonyms are 32 hexadecimal digits."""
    return "e.pseudonym IS NOT NULL" if share >= 1 else f"e.pseudonym < '{int(share * 2**128):032x}'"


def _reporting(metric: Metric, settled_until: Mapping[str, float]) -> _Amount:
    ended = "o.pnl_pips IS NOT NULL" if metric == "mean_pnl" else "o.outcome IS NOT NULL"
    whens = " ".join(f"WHEN '{timeframe}' THEN {until:.0f}" for timeframe, until in settled_until.items())
    settled = f"CAST(SUBSTR(e.candle, 3) AS BIGINT) <= CASE e.timeframe {whens} END" if whens else "1 = 0"
    return _Amount(f"CASE WHEN {ended} THEN 1 ELSE 0 END", f"e.signal <> 'hold' AND {settled}", ("longs", "shorts"))


# Of a metric and a unit: both parts of its ratio, and the sums of squares and products over its cells.
_SUMS = 5


def _query(variant: Variant, amounts: Collection[_Amount], share: float) -> str:
    cells, sums = [], []
    for i, (amount, counts, of) in enumerate(amounts):
        number = " + ".join(f"c.{variant.lower()}_{name}" for name in of)
        weight = f"CAST(1 AS DOUBLE PRECISION) / NULLIF({number}, 0)"
        cells += [
            f"COALESCE(SUM(CASE WHEN {counts} THEN ({amount}) * {weight} END), 0) AS n{i}",
            f"COALESCE(SUM(CASE WHEN {counts} THEN {weight} END), 0) AS d{i}",
        ]
        sums += [f"SUM(n{i})", f"SUM(d{i})", f"SUM(n{i} * n{i})", f"SUM(n{i} * d{i})", f"SUM(d{i} * d{i})"]
    # A cell is a unit at one time, with all its pairs.
    return f"""
        SELECT {", ".join(sums)} FROM (
            SELECT e.pseudonym, e.block, {", ".join(cells)}
            FROM exposures AS e
            JOIN candles AS c ON c.experiment_id = e.experiment_id AND c.pair = e.pair AND c.timeframe = e.timeframe
                AND c.candle = e.candle
            LEFT JOIN outcomes AS o ON o.prediction_id = e.prediction_id
            WHERE e.experiment_id = ? AND e.variant = ? AND e.fallback_reason IS NULL AND {_chosen(share)}
                AND SUBSTR(e.candle, 1, 2) = 't:'
            GROUP BY e.pseudonym, e.block, e.candle
        ) AS cells
        GROUP BY pseudonym, block ORDER BY pseudonym, block"""  # noqa: S608 - constant names and numbers


def _sums(columns: Floats, share: float) -> UnitSums:
    numerator, denominator, *squares = columns
    nn, nd, dd = (column.sum() for column in squares)
    return UnitSums(numerator, denominator, (nn, nd, dd), share)
