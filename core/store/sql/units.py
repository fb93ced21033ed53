"""The sums by unit that a report needs: by user in split mode, by user and block in crossover mode.

Unlike the rest of a report, they are computed from the exposures, because a prediction's weight depends on how many
others were made on its candle. So their cost grows with the number of exposures. With very many users, those of a
sample of the users are enough.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from core.experiments.candle_table import UNIT_METRICS, UnitMetric, Units, UnitSums
from core.experiments.experiment import VARIANTS, Metric, Variant
from core.features.candles import Floats
from core.features.labels import LONG, SHORT, UNKNOWN
from core.store.drivers.database import Connection

# Users of a variant whose predictions are read, about. Of more users each is chosen with a probability in proportion to
# its predictions and trades, and stands for as many users as that probability allows (Horvitz and Thompson). So the
# users that matter are all read.
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
        sample = _sample(connection, experiment_id, variant)
        query = _query(variant, [amounts[name] for name in names], 0 if sample is None else len(sample))
        rows = connection.rows(query, [experiment_id, variant, *(sample or ())])
        columns = np.array([row[1:] for row in rows], dtype=np.float64).reshape(len(rows), _SUMS * len(names)).T
        weight = None if sample is None else np.array([sample[row[0]] for row in rows])
        for i, name in enumerate(names):
            found.setdefault(name, {})[variant] = _sums(columns[_SUMS * i : _SUMS * (i + 1)], weight)
        for name in set(UNIT_METRICS) - set(names):
            found.setdefault(name, {})[variant] = _sums(np.zeros((_SUMS, 0)), None)
    return found


def _sample(connection: Connection, experiment_id: str, variant: Variant) -> dict[str, float] | None:
    """The users to read, each with the number of users that it stands for; None for all.

    The choice depends on the pseudonym alone, so all reports read the same users while their sizes are the same.
    """
    query = "SELECT COUNT(*) FROM users WHERE experiment_id = ? AND variant = ?"
    ((users,),) = connection.rows(query, [experiment_id, variant])
    if users <= MOST_USERS:
        return None
    query = """
        SELECT pseudonym, COUNT(*) + SUM(CASE WHEN signal <> 'hold' THEN 1 ELSE 0 END) FROM exposures
        WHERE experiment_id = ? AND variant = ? AND fallback_reason IS NULL AND pseudonym IS NOT NULL
        GROUP BY pseudonym ORDER BY pseudonym"""
    rows = connection.rows(query, [experiment_id, variant])
    chance = _chances(np.array([float(size) for _, size in rows]))
    return {name: 1 / float(p) for (name, _), p in zip(rows, chance, strict=True) if _fraction(name) < float(p)}


def _chances(sizes: Floats) -> Floats:
    """Probabilities in proportion to the sizes, at most 1, whose sum is MOST_USERS."""
    chance = np.ones(len(sizes))
    for _ in range(20):  # users that are certain leave more for the others
        rest = chance < 1 if (chance < 1).any() else np.ones(len(sizes), bool)
        wanted = MOST_USERS - float((~rest).sum())
        found = np.where(rest, sizes * wanted / sizes[rest].sum(), 1.0)
        clipped = np.minimum(found, 1.0)
        if np.array_equal(clipped, chance):
            break
        chance = clipped
    return chance


def _fraction(pseudonym: str) -> float:
    """A number from 0 to 1 that is random among users, and always the same for one."""
    digest = hashlib.blake2b(pseudonym.encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48


def _reporting(metric: Metric, settled_until: Mapping[str, float]) -> _Amount:
    ended = "o.pnl_pips IS NOT NULL" if metric == "mean_pnl" else "o.outcome IS NOT NULL"
    whens = " ".join(f"WHEN '{timeframe}' THEN {until:.0f}" for timeframe, until in settled_until.items())
    settled = f"CAST(SUBSTR(e.candle, 3) AS BIGINT) <= CASE e.timeframe {whens} END" if whens else "1 = 0"
    return _Amount(f"CASE WHEN {ended} THEN 1 ELSE 0 END", f"e.signal <> 'hold' AND {settled}", ("longs", "shorts"))


# Of a metric and a unit: both parts of its ratio, and the sums of squares and products over its cells.
_SUMS = 5


def _query(variant: Variant, amounts: Collection[_Amount], users: int) -> str:
    """The query for these amounts of all users, or of so many chosen ones."""
    chosen = f"e.pseudonym IN ({', '.join('?' * users)})" if users else "e.pseudonym IS NOT NULL"
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
        SELECT pseudonym, {", ".join(sums)} FROM (
            SELECT e.pseudonym, e.block, {", ".join(cells)}
            FROM exposures AS e
            JOIN candles AS c ON c.experiment_id = e.experiment_id AND c.pair = e.pair AND c.timeframe = e.timeframe
                AND c.candle = e.candle
            LEFT JOIN outcomes AS o ON o.prediction_id = e.prediction_id
            WHERE e.experiment_id = ? AND e.variant = ? AND e.fallback_reason IS NULL AND {chosen}
                AND SUBSTR(e.candle, 1, 2) = 't:'
            GROUP BY e.pseudonym, e.block, e.candle
        ) AS cells
        GROUP BY pseudonym, block ORDER BY pseudonym, block"""  # noqa: S608 - constant names and numbers


def _sums(columns: Floats, weight: Floats | None) -> UnitSums:
    numerator, denominator, *squares = columns
    nn, nd, dd = ((column if weight is None else weight * column).sum() for column in squares)
    return UnitSums(numerator, denominator, (nn, nd, dd), weight)
