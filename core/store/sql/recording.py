"""Storing the records of the journals: a row per exposure, and the sums that reports read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

import msgspec

from core.experiments.experiment import Micros, Variant
from core.experiments.records import Beside, Exposure, Failure, Record, Refusal, ShadowScore, Unrecorded
from core.inference.decision import Signal
from core.store.drivers.database import Connection, among
from core.store.sql.totals import Totals

# The fields of an exposure, or some of them, in the order of EXPOSURE_COLUMNS.
_Fields: TypeAlias = tuple[Any, ...]

EXPOSURE_COLUMNS = (
    "prediction_id", "answered_at", "experiment_id", "variant", "version", "fallback_reason", "pseudonym", "pair",
    "timeframe", "candle", "signal", "confidence", "stage1_prob", "stage2_prob", "latency_us", "slow", "warnings",
    "window_key", "block",
)  # fmt: skip
# The columns of a side without their prefix a_ or b_, in the order of core.experiments.candle_table.Side.
SUMS = (
    "predictions", "holds", "longs", "shorts", "confidence", "confidence_squares", "wins", "losses", "neutrals",
    "pnl", "pnl_count",
)  # fmt: skip
SIDES = tuple(f"{side}_{name}" for side in "ab" for name in SUMS)

_ADD = f"""
    INSERT INTO candles (experiment_id, pair, timeframe, candle, first_at, {", ".join(SIDES)})
    VALUES ({", ".join("?" * (5 + len(SIDES)))})
    ON CONFLICT (experiment_id, pair, timeframe, candle) DO UPDATE SET
    first_at = CASE WHEN excluded.first_at < candles.first_at THEN excluded.first_at ELSE candles.first_at END,
    {", ".join(f"{name} = candles.{name} + excluded.{name}" for name in SIDES)}"""  # noqa: S608 - constant names
# A score replaces a failure, because another worker may have scored what the first one could not.
_ADD_SCORE = """
    INSERT INTO scores (experiment_id, pair, timeframe, candle, window_key, scored_at, a_signal, a_confidence, b_signal,
        b_confidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (experiment_id, pair, timeframe, candle, window_key) DO UPDATE SET scored_at = excluded.scored_at,
        a_signal = excluded.a_signal, a_confidence = excluded.a_confidence, b_signal = excluded.b_signal,
        b_confidence = excluded.b_confidence
    WHERE scores.b_signal IS NULL"""
# A candle that only B has scored yet has a row as well, so that it can have a label.
_ADD_CANDLE = """
    INSERT INTO candles (experiment_id, pair, timeframe, candle, first_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (experiment_id, pair, timeframe, candle) DO NOTHING"""
_ADD_ENDINGS = """
    INSERT INTO scores (experiment_id, pair, timeframe, candle, window_key, wins, losses, neutrals, pnl, pnl_count,
        late) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (experiment_id, pair, timeframe, candle, window_key) DO UPDATE SET
        wins = scores.wins + excluded.wins, losses = scores.losses + excluded.losses,
        neutrals = scores.neutrals + excluded.neutrals, pnl = scores.pnl + excluded.pnl,
        pnl_count = scores.pnl_count + excluded.pnl_count, late = scores.late + excluded.late"""
_ADD_WARNED = """
    INSERT INTO warned (experiment_id, variant, code, answers) VALUES (?, ?, ?, ?)
    ON CONFLICT (experiment_id, variant, code) DO UPDATE SET answers = warned.answers + excluded.answers"""


class CandleKey(NamedTuple):
    """A candle in an experiment."""

    experiment_id: str
    pair: str
    timeframe: str
    candle: str


class CandleSums:
    """Amounts to add to the rows of candles."""

    def __init__(self) -> None:
        self._rows: dict[CandleKey, list[float]] = {}

    def add(self, key: CandleKey, at: Micros, variant: Variant, amounts: Mapping[str, float]) -> None:
        """Add amounts to one side, by their names in SUMS. Without amounts, the row is still created."""
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = [at, *([0] * len(SIDES))]
        row[0] = min(row[0], at)
        offset = 1 if variant == "A" else 1 + len(SUMS)
        for name, amount in amounts.items():
            row[offset + _PLACE[name]] += amount

    def write(self, connection: Connection) -> None:
        """Add the amounts to the stored rows."""
        connection.run_many(_ADD, [(*key, *row) for key, row in self._rows.items()])


class WindowSums:
    """Reported outcomes to add to the rows of scores, in shadow mode."""

    def __init__(self) -> None:
        self._rows: dict[tuple[CandleKey, str], list[float]] = {}

    def add(self, key: CandleKey, window: str, amounts: Mapping[str, float]) -> None:
        """Add amounts to the row of an input, by their names in SUMS; `late`: how many are late."""
        row = self._rows.setdefault((key, window), [0] * len(_ENDINGS))
        for name, amount in amounts.items():
            row[_ENDINGS.index(name)] += amount

    def write(self, connection: Connection) -> None:
        """Add the amounts to the stored rows."""
        connection.run_many(_ADD_ENDINGS, [(*key, window, *row) for (key, window), row in self._rows.items()])


_ENDINGS = ("wins", "losses", "neutrals", "pnl", "pnl_count", "late")
_PLACE = {name: place for place, name in enumerate(SUMS)}


def record(connection: Connection, records: Sequence[Record], *, all_new: bool = False) -> None:
    """Store records. An exposure that is already stored does not count again; records without an id always count.

    all_new: no exposure is stored yet. If one is, or comes twice, this raises Database.duplicate.
    """
    exposures = [r for r in records if isinstance(r, Exposure)]
    totals = Totals()
    _record_exposures(connection, exposures if all_new else _new(connection, exposures), totals)
    others = [r for r in records if not isinstance(r, Exposure)]
    for other in others:
        if isinstance(other, Failure):
            totals.request(other, failures=1)
        elif isinstance(other, Refusal):
            totals.request(other, refused=1)
        elif isinstance(other, Unrecorded):
            totals.unrecorded(other)
        elif isinstance(other, Beside):
            totals.beside(other)
    totals.write(connection)
    scores = _first_scores(r for r in others if isinstance(r, ShadowScore))
    connection.run_many(_ADD_CANDLE, [(*score[:4], score[5]) for score in scores])
    connection.run_many(_ADD_SCORE, scores)


def _record_exposures(connection: Connection, exposures: Sequence[Exposure], totals: Totals) -> None:
    """Insert a row for each exposure, and add them to the sums.

    Most answers of a second differ only in few fields. The others are looked at, and given to the database, once for
    all answers that are alike. The variant is not among them: rows that are not in the order of time take longer.
    """
    sums, units, warned = CandleSums(), _Units(), Counter[tuple[str, Variant, str]]()
    for alike, rows in _grouped(map(msgspec.structs.astuple, exposures), _alike).items():
        experiment_id, reason, timeframe, slow, warnings = alike
        _insert(connection, alike, rows)
        for (variant, pair, candle, signal), same in _grouped(rows, _answer).items():
            times = [row[_AT] for row in same]
            totals.answers(experiment_id, variant, times, fallback=reason is not None, slow=slow)
            amounts = {} if reason is not None else _amounts(signal, [row[_CONFIDENCE] for row in same])
            sums.add(CandleKey(experiment_id, pair, timeframe, candle), min(times), variant, amounts)
            if reason is None:
                units.add(experiment_id, variant, same)
                for code in warnings:
                    warned[experiment_id, variant, code] += len(same)
    sums.write(connection)
    units.write(connection)
    connection.run_many(_ADD_WARNED, [(*key, count) for key, count in sorted(warned.items())])


def _grouped(rows: Iterable[_Fields], key: Callable[[_Fields], _Fields]) -> dict[_Fields, list[_Fields]]:
    groups: dict[_Fields, list[_Fields]] = {}
    for row in rows:
        group = key(row)
        if (of_group := groups.get(group)) is None:
            of_group = groups[group] = []
        of_group.append(row)
    return groups


def _taking(columns: Sequence[str]) -> Callable[[_Fields], _Fields]:
    """A function that takes the fields of these columns from those of an exposure."""
    return itemgetter(*map(EXPOSURE_COLUMNS.index, columns))


_AT, _USER, _CONFIDENCE, _WINDOW, _BLOCK = map(
    EXPOSURE_COLUMNS.index, ("answered_at", "pseudonym", "confidence", "window_key", "block")
)
_ALIKE_COLUMNS = ("experiment_id", "fallback_reason", "timeframe", "slow", "warnings")
_OWN_COLUMNS = tuple(name for name in EXPOSURE_COLUMNS[:_WINDOW] if name not in _ALIKE_COLUMNS)
_alike, _answer = _taking(_ALIKE_COLUMNS), _taking(("variant", "pair", "candle", "signal"))
_own, _own_in_window = _taking(_OWN_COLUMNS), _taking((*_OWN_COLUMNS, "window_key", "block"))


def _insert(connection: Connection, alike: _Fields, rows: Sequence[_Fields]) -> None:
    """Insert rows that have the same fields of _ALIKE_COLUMNS.

    NUL in the reason is replaced, because PostgreSQL refuses it.
    """
    shared = dict(zip(_ALIKE_COLUMNS, alike, strict=True))
    reason = shared["fallback_reason"]
    shared["fallback_reason"] = reason and reason.replace("\0", "\N{REPLACEMENT CHARACTER}")
    shared["warnings"] = " ".join(shared["warnings"]) or None
    if any(row[_WINDOW] or row[_BLOCK] for row in rows):
        columns, own = (*_OWN_COLUMNS, "window_key", "block"), _own_in_window
    else:  # these are at their defaults
        columns, own = _OWN_COLUMNS, _own
    connection.insert("exposures", columns, map(own, rows), alike=shared)


class _Units:
    """The users of answers that are no fallbacks, and in crossover mode their blocks."""

    def __init__(self) -> None:
        self._users: defaultdict[tuple[str, Variant], set[str]] = defaultdict(set)
        self._blocks: set[tuple[str, str, str, Variant]] = set()

    def add(self, experiment_id: str, variant: Variant, rows: Sequence[_Fields]) -> None:
        """Add those of some exposures of one variant."""
        self._users[experiment_id, variant].update([row[_USER] for row in rows if row[_USER] is not None])
        blocks = [(experiment_id, row[_USER], row[_BLOCK], variant) for row in rows if row[_BLOCK]]
        self._blocks.update(block for block in blocks if block[1] is not None)

    def write(self, connection: Connection) -> None:
        """Store those that are not stored yet."""
        users = [(key[0], user, key[1]) for key, users in sorted(self._users.items()) for user in sorted(users)]
        connection.insert("users", ("experiment_id", "pseudonym", "variant"), users, missing=True)
        blocks = sorted(self._blocks)
        connection.insert("blocks", ("experiment_id", "pseudonym", "block", "variant"), blocks, missing=True)


def _new(connection: Connection, exposures: Sequence[Exposure]) -> list[Exposure]:
    """The exposures that are not stored yet, each once."""
    found = {exposure.prediction_id: exposure for exposure in reversed(exposures)}
    query = "SELECT prediction_id FROM exposures WHERE prediction_id IN"
    for (prediction_id,) in among(connection, query, (), list(found)):
        del found[prediction_id]
    return list(reversed(found.values()))


def _amounts(signal: Signal, confidences: Sequence[float]) -> dict[str, float]:
    """The amounts of answers with one signal about the same candle."""
    return {
        "predictions": len(confidences),
        f"{signal}s": len(confidences),
        "confidence": sum(confidences),
        "confidence_squares": sum([confidence * confidence for confidence in confidences]),
    }


def _first_scores(scores: Iterable[ShadowScore]) -> list[tuple[str | float | None, ...]]:
    """One row per input, with the first of its scores, or else a failure."""
    first: dict[tuple[CandleKey, str], ShadowScore] = {}
    for score in scores:
        key = CandleKey(score.experiment_id, score.pair, score.timeframe, score.candle), score.window
        if key not in first or first[key].b_signal is None:
            first[key] = score
    return [
        (*key, window, s.at, s.a_signal, s.a_confidence, s.b_signal, s.b_confidence)
        for (key, window), s in first.items()
    ]
