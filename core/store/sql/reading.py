"""The queries of reports and exports."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.experiments.candle_table import CandleTable, Side, Tally
from core.experiments.experiment import Micros, Variant
from core.features.candle_keys import time_of_candle_key
from core.features.candles import Floats
from core.store.drivers.database import Connection, Row
from core.store.interface import EXPORT_COLUMNS
from core.store.sql.recording import SIDES, SUMS
from core.store.sql.states import read_experiment
from core.store.sql.totals import read_surplus, read_totals

_SIGNALS = ("hold", "long", "short")
_REPORTED = ("wins", "losses", "neutrals", "pnl", "pnl_count")
_LABELS = {0: "none", 1: "long", 2: "short"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KNOWN_SIGNAL = " ".join(f"WHEN '{name}' THEN {code}" for code, name in enumerate(_SIGNALS))
# Large enough to make the fixed cost of a page negligible, small enough that one page delays no other call.
_PAGE = 2000
# Of sums. The last digits of a sum depend on the order of its terms, and the order of arrival must not matter.
_DECIMALS = 9


def tally(connection: Connection, experiment_id: str) -> dict[Variant, Tally]:
    """See Store. In shadow mode, B's predictions are its scores, one per candle."""
    totals, surplus = read_totals(connection, experiment_id), read_surplus(connection, experiment_id)
    users: dict[str, int] = dict(
        connection.rows("SELECT variant, COUNT(*) FROM users WHERE experiment_id = ? GROUP BY variant", [experiment_id])
    )
    blocks: dict[str, int] = dict(
        connection.rows(
            "SELECT variant, COUNT(*) FROM blocks WHERE experiment_id = ? GROUP BY variant", [experiment_id]
        )
    )
    warned: dict[Variant, dict[str, int]] = {"A": {}, "B": {}}
    for variant, code, answers in connection.rows(
        "SELECT variant, code, answers FROM warned WHERE experiment_id = ? ORDER BY code", [experiment_id]
    ):
        warned[variant][code] = answers

    def one(variant: Variant, sums: Sequence[Any]) -> Tally:
        predictions, confidence, candles, held_candles, *signals = (0 if value is None else value for value in sums)
        counts = totals.get(variant, {})
        return Tally(
            predictions=int(predictions),
            signals={name: int(count) for name, count in zip(_SIGNALS, signals, strict=True)},
            confidence=float(confidence),
            users=users.get(variant, 0),
            units=(blocks or users).get(variant, 0),
            candles=int(candles),
            held_candles=int(held_candles),
            fallbacks=counts.get("fallbacks", 0),
            failures=counts.get("failures", 0),
            refused=counts.get("refused", 0),
            slow=counts.get("slow", 0),
            unrecorded=counts.get("unrecorded", 0),
            late=counts.get("late", 0),
            warnings=warned[variant],
            surplus=surplus.get(variant, {}),
        )

    (row,) = connection.rows(_TALLY, [experiment_id])
    (scores,) = connection.rows(_SCORES, [experiment_id] * 3)
    # B has sums in split mode and scores in shadow mode, never both.
    b, (failed, *late, scored) = row[7:], (*scores[:3], scores[3:])
    late_of_a, late_of_b, failed = (int(value or 0) for value in (*late, failed))
    of_a, of_b = one("A", row[:7]), one("B", scored if scored[0] else b)
    return {
        "A": replace(of_a, late=of_a.late + late_of_a),
        "B": replace(of_b, late=of_b.late + late_of_b, failures=of_b.failures + failed),
    }


_TALLY = """
    SELECT SUM(a_predictions), SUM(a_confidence), SUM(CASE WHEN a_predictions > 0 THEN 1 ELSE 0 END),
        SUM(CASE WHEN a_predictions > 0 AND a_holds = a_predictions THEN 1 ELSE 0 END),
        SUM(a_holds), SUM(a_longs), SUM(a_shorts),
        SUM(b_predictions), SUM(b_confidence), SUM(CASE WHEN b_predictions > 0 THEN 1 ELSE 0 END),
        SUM(CASE WHEN b_predictions > 0 AND b_holds = b_predictions THEN 1 ELSE 0 END),
        SUM(b_holds), SUM(b_longs), SUM(b_shorts)
    FROM candles WHERE experiment_id = ?"""
# Inputs that B could not score, late outcomes that count for A and for B, then B's numbers in the order of _TALLY.
_SCORES = """
    SELECT SUM(CASE WHEN a_signal IS NOT NULL AND b_signal IS NULL THEN 1 ELSE 0 END),
        SUM(CASE WHEN b_signal IS NOT NULL THEN late END), SUM(CASE WHEN a_signal = b_signal THEN late END),
        COUNT(b_signal), SUM(b_confidence),
        (SELECT COUNT(*) FROM (SELECT 1 FROM scores WHERE experiment_id = ? AND b_signal IS NOT NULL
            GROUP BY pair, timeframe, candle) AS scored),
        (SELECT COUNT(*) FROM (SELECT 1 FROM scores WHERE experiment_id = ? AND b_signal IS NOT NULL
            GROUP BY pair, timeframe, candle HAVING COUNT(*) = SUM(CASE WHEN b_signal = 'hold' THEN 1 ELSE 0 END)
            ) AS held),
        SUM(CASE WHEN b_signal = 'hold' THEN 1 ELSE 0 END), SUM(CASE WHEN b_signal = 'long' THEN 1 ELSE 0 END),
        SUM(CASE WHEN b_signal = 'short' THEN 1 ELSE 0 END)
    FROM scores WHERE experiment_id = ?"""


def in_both(connection: Connection, experiment_id: str) -> int:
    """See Store. Raises UnknownExperiment."""
    crossover = read_experiment(connection, experiment_id).mode == "crossover"
    table, unit = ("blocks", "pseudonym, block") if crossover else ("users", "pseudonym")
    ((count,),) = connection.rows(
        f"SELECT COUNT(*) FROM (SELECT {unit} FROM {table} WHERE experiment_id = ? "  # noqa: S608 - constant names
        f"GROUP BY {unit} HAVING COUNT(*) > 1) AS both_sides",
        [experiment_id],
    )
    return int(count)


def candles(connection: Connection, experiment_id: str) -> CandleTable:
    """See Store. Raises UnknownExperiment."""
    shadow = read_experiment(connection, experiment_id).mode == "shadow"
    return _shadow_candles(connection, experiment_id) if shadow else _split_candles(connection, experiment_id)


def _split_candles(connection: Connection, experiment_id: str) -> CandleTable:
    names = (*SIDES, "label", "move_pips")
    found = _columns(connection, experiment_id, names, "candles", "a_predictions + b_predictions > 0")
    columns = found.columns
    a, b = Side(*columns[: len(SUMS)]), Side(*columns[len(SUMS) : -2])
    return CandleTable(a, b, columns[-2].astype(np.int8), columns[-1], found.time, found.place, found.places)


def _shadow_candles(connection: Connection, experiment_id: str) -> CandleTable:
    signals = (f"CASE {side}_signal {_KNOWN_SIGNAL} END" for side in "ab")
    names = (*signals, "scores.a_confidence", "scores.b_confidence", *_REPORTED, "label", "move_pips")
    found = _columns(connection, experiment_id, names, _SCORES_AND_CANDLES, "b_signal IS NOT NULL")
    a_signal, b_signal, a_confidence, b_confidence, *reported, label, move_pips = found.columns
    agreed = a_signal == b_signal

    def side(signal: Floats, confidence: Floats, outcomes: list[Floats]) -> Side:
        signals = [(signal == code).astype(np.float64) for code in range(len(_SIGNALS))]
        sums = [np.ones(len(signal)), *signals, confidence, confidence * confidence, *outcomes]
        return Side(*sums)

    return CandleTable(
        side(a_signal, a_confidence, reported),
        side(b_signal, b_confidence, [column * agreed for column in reported]),
        label.astype(np.int8),
        move_pips,
        found.time,
        found.place,
        found.places,
    )


_SCORES_AND_CANDLES = "scores JOIN candles USING (experiment_id, pair, timeframe, candle)"


class _Found(NamedTuple):
    """Rows of candles in order of time; see CandleTable."""

    columns: list[Floats]
    time: Floats
    place: NDArray[np.intp]
    places: tuple[tuple[str, str], ...]


def _columns(connection: Connection, experiment_id: str, names: Sequence[str], tables: str, which: str) -> _Found:
    """Numeric columns of an experiment's candles; NULL becomes NaN."""
    chosen = f"FROM {tables} WHERE experiment_id = ? AND {which}"
    places: dict[tuple[str, str], int] = {
        (pair, timeframe): code
        for code, (pair, timeframe) in enumerate(
            connection.rows(f"SELECT DISTINCT pair, timeframe {chosen} ORDER BY pair, timeframe", [experiment_id])
        )
    }
    # All queries see the same rows, because they are in one transaction.
    ((count,),) = connection.rows(f"SELECT COUNT(*) {chosen}", [experiment_id])
    columns, time, place = np.empty((len(names), count)), np.empty(count), np.empty(count, np.intp)
    end = 0
    query = f"SELECT pair, timeframe, candle, {', '.join(names)} {chosen} ORDER BY pair, timeframe, candle"
    for page in connection.pages(query, [experiment_id], _PAGE):
        start, end = end, end + len(page)
        place[start:end] = [places[row[0], row[1]] for row in page]
        time[start:end] = [_time(row[2]) for row in page]
        columns[:, start:end] = np.array([row[3:] for row in page], dtype=np.float64).T.round(_DECIMALS)
    order = np.lexsort((place, time))  # NaN is last
    return _Found(list(columns[:, order]), time[order], place[order], tuple(places))


def _time(candle: str) -> float:
    """When a candle opened, in milliseconds since 1970; NaN if its key has no time (see core.features.candle_keys)."""
    opened = time_of_candle_key(candle)
    return math.nan if opened is None else float(opened)


def disagreements(connection: Connection, experiment_id: str, limit: int) -> list[dict[str, Any]]:
    """See Store."""
    rows = connection.rows(
        "SELECT pair, timeframe, candle, a_signal, b_signal FROM scores WHERE experiment_id = ? "
        # A longer key is a later time, so this is the order of time.
        "AND a_signal <> b_signal ORDER BY LENGTH(candle) DESC, candle DESC, pair, timeframe, window_key LIMIT ?",
        [experiment_id, limit],
    )
    return [dict(zip(("pair", "timeframe", "candle", "a_signal", "b_signal"), row, strict=True)) for row in rows]


def export(reading: Callable[[], AbstractContextManager[Connection]], experiment_id: str) -> Iterator[dict[str, Any]]:
    """See Store. Each page has its own transaction, so that a client that reads slowly blocks nothing."""
    after: tuple[Micros, str] = (-1, "")
    while True:
        with reading() as connection:
            rows = connection.rows(EXPORT_PAGE, [experiment_id, *after, _PAGE])
        for row in rows:
            yield _exported(row)
        if len(rows) < _PAGE:
            return
        after = rows[-1][1], rows[-1][0]


EXPORT_PAGE = """
    SELECT e.prediction_id, e.answered_at, e.experiment_id, e.variant, e.version, e.fallback_reason, e.pseudonym,
        e.pair, e.timeframe, e.candle, e.candle, e.signal, e.confidence, e.stage1_prob, e.stage2_prob, e.latency_us,
        o.outcome, o.pnl_pips, o.closed_at, c.label, s.b_signal, s.b_confidence, e.warnings
    FROM exposures AS e
    LEFT JOIN outcomes AS o ON o.prediction_id = e.prediction_id
    LEFT JOIN candles AS c ON c.experiment_id = e.experiment_id AND c.pair = e.pair AND c.timeframe = e.timeframe
        AND c.candle = e.candle
    LEFT JOIN scores AS s ON s.experiment_id = e.experiment_id AND s.pair = e.pair AND s.timeframe = e.timeframe
        AND s.candle = e.candle AND s.window_key = e.window_key
    WHERE e.experiment_id = ? AND (e.answered_at, e.prediction_id) > (?, ?)
    ORDER BY e.answered_at, e.prediction_id LIMIT ?"""


def _exported(row: Row) -> dict[str, Any]:
    shown = dict(zip(EXPORT_COLUMNS, row, strict=True))
    opened = time_of_candle_key(shown["candle"])
    shown["at"] = _iso(shown["at"])
    shown["candle_time"] = None if opened is None else _iso(opened * 1000)
    shown["closed_at"] = None if shown["closed_at"] is None else _iso(shown["closed_at"])
    shown["label"] = _LABELS.get(shown["label"])
    return shown


def _iso(at: Micros) -> str | None:
    """ISO 8601; None outside the years 1 to 9999. Requests cannot contain such times, but older stores can."""
    try:
        moment = _EPOCH + timedelta(microseconds=at)
    except OverflowError:
        return None
    # Not strftime, which writes years before 1000 with fewer than four digits.
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
