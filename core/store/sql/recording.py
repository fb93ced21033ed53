"""Storing the records of the journals: a row per exposure, and the sums that reports read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from core.experiments.experiment import Micros, Variant
from core.experiments.records import Beside, Exposure, Failure, Record, Refusal, ShadowScore, Unrecorded
from core.store.drivers.database import Connection, among
from core.store.sql.totals import Totals

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
_ADD_BLOCK = "INSERT INTO blocks (experiment_id, pseudonym, block, variant) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_ADD_USER = "INSERT INTO users (experiment_id, pseudonym, variant) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"


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
    if not all_new:
        exposures = _new(connection, exposures)
    _insert(connection, exposures)
    others = [r for r in records if not isinstance(r, Exposure)]
    totals = Totals()
    # Most answers of a second are about a few candles, so those about the same one are summed together.
    by_side: dict[tuple[str, str, str, str, Variant], list[Exposure]] = {}
    for exposure in exposures:
        side = exposure.experiment_id, exposure.pair, exposure.timeframe, exposure.candle, exposure.variant
        if (of_side := by_side.get(side)) is None:
            of_side = by_side[side] = []
        of_side.append(exposure)
    sums = CandleSums()
    for (*key, variant), of_side in by_side.items():
        totals.answers(of_side)
        amounts = _amounts([exposure for exposure in of_side if exposure.fallback_reason is None])
        sums.add(CandleKey(*key), min([exposure.at for exposure in of_side]), variant, amounts)
    for other in others:
        if isinstance(other, Failure):
            totals.request(other, failures=1)
        elif isinstance(other, Refusal):
            totals.request(other, refused=1)
        elif isinstance(other, Unrecorded):
            totals.unrecorded(other)
        elif isinstance(other, Beside):
            totals.beside(other)
    sums.write(connection)
    _record_units(connection, exposures)
    totals.write(connection)
    warned = Counter(
        (exposure.experiment_id, exposure.variant, code)
        for exposure in [e for e in exposures if e.warnings and e.fallback_reason is None]
        for code in exposure.warnings
    )
    connection.run_many(_ADD_WARNED, [(*key, count) for key, count in sorted(warned.items())])
    scores = _first_scores(r for r in others if isinstance(r, ShadowScore))
    connection.run_many(_ADD_CANDLE, [(*score[:4], score[5]) for score in scores])
    connection.run_many(_ADD_SCORE, scores)


def _insert(connection: Connection, exposures: Sequence[Exposure]) -> None:
    """Insert a row for each exposure. Most rows need only the first columns, which takes four fifths of the time."""
    whole: list[tuple[Any, ...]] = []
    plain: list[tuple[Any, ...]] = []
    for exposure in exposures:
        fields: tuple[Any, ...] = msgspec.structs.astuple(exposure)
        if exposure.fallback_reason is None and fields[_LAST:] == _DEFAULTS:
            plain.append(fields[:_REASON] + fields[_REASON + 1 : _LAST])
        else:
            whole.append(_row(exposure))
    for columns, rows in ((_PLAIN_COLUMNS, plain), (EXPOSURE_COLUMNS, whole)):
        if rows:
            connection.insert("exposures", columns, rows)


_REASON = EXPOSURE_COLUMNS.index("fallback_reason")
_LAST = EXPOSURE_COLUMNS.index("warnings")
# The last fields of an exposure that has none of them: warnings, window and block.
_DEFAULTS = ((), "", "")
_PLAIN_COLUMNS = EXPOSURE_COLUMNS[:_REASON] + EXPOSURE_COLUMNS[_REASON + 1 : _LAST]


def _record_units(connection: Connection, exposures: Sequence[Exposure]) -> None:
    """Add the users of answers that are no fallbacks, and in crossover mode their blocks."""
    known = [e for e in exposures if e.user is not None and e.fallback_reason is None]
    connection.run_many(_ADD_USER, sorted({(e.experiment_id, e.user, e.variant) for e in known}))
    blocks = {(e.experiment_id, e.user, e.block, e.variant) for e in known if e.block}
    connection.run_many(_ADD_BLOCK, sorted(blocks))


def _new(connection: Connection, exposures: Sequence[Exposure]) -> list[Exposure]:
    """The exposures that are not stored yet, each once."""
    found = {exposure.prediction_id: exposure for exposure in reversed(exposures)}
    query = "SELECT prediction_id FROM exposures WHERE prediction_id IN"
    for (prediction_id,) in among(connection, query, (), list(found)):
        del found[prediction_id]
    return list(reversed(found.values()))


def _row(exposure: Exposure) -> tuple[str | float | None, ...]:
    """The row of an exposure. NUL in the reason is replaced, because PostgreSQL refuses it."""
    if exposure.fallback_reason is not None and "\0" in exposure.fallback_reason:
        reason = exposure.fallback_reason.replace("\0", "\N{REPLACEMENT CHARACTER}")
        exposure = msgspec.structs.replace(exposure, fallback_reason=reason)
    fields: tuple[Any, ...] = msgspec.structs.astuple(exposure)
    return *fields[:-3], " ".join(fields[-3]) or None, *fields[-2:]


def _amounts(exposures: Sequence[Exposure]) -> dict[str, float]:
    """The amounts of answers about the same candle."""
    if not exposures:
        return {}
    confidences = [exposure.confidence for exposure in exposures]
    signals = [exposure.signal for exposure in exposures]
    return {
        "predictions": len(exposures),
        **{f"{signal}s": signals.count(signal) for signal in set(signals)},
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
