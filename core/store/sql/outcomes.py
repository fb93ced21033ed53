"""The outcomes of predictions, as clients report them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.experiments.experiment import Experiment, Micros, Variant
from core.features.candle_keys import time_of_candle_key
from core.inference.decision import Signal
from core.store.drivers.database import Connection, among
from core.store.interface import ClosedTooEarly, Outcome, OutcomeAnswer
from core.store.sql.recording import CandleKey, CandleSums, WindowSums
from core.store.sql.states import stored_experiment
from core.store.sql.totals import Totals

# `closed_at` comes from the client's clock, and the time of the answer from the server's.
CLOCK_SKEW: Micros = 60_000_000

_COLUMNS = ("prediction_id", "outcome", "pnl_pips", "closed_at", "reported_at")
_SUM = {"win": "wins", "loss": "losses", "neutral": "neutrals"}


class _Predicted(NamedTuple):
    """A prediction as its exposure holds it."""

    key: CandleKey
    answered_at: Micros
    variant: Variant
    fallback_reason: str | None
    window: str
    signal: Signal

    def refuses(self, outcome: Outcome) -> OutcomeAnswer | None:
        """The answer if this prediction cannot have such an outcome.

        A replay of past candles is answered now, for trades that were closed long ago, so the opening of its candle is
        what counts. If that is later than the answer, for example in another time zone, the answer counts. A key
        without a time can be a replay too, so it allows every time.
        """
        if self.signal == "hold":
            return "not_a_trade"
        opened = time_of_candle_key(self.key.candle)
        if outcome.closed_at is None or opened is None:
            return None
        earliest = min(opened * 1000, self.answered_at)
        if outcome.closed_at >= earliest - CLOCK_SKEW:
            return None
        return ClosedTooEarly(earliest, is_candle=earliest == opened * 1000)


class _Changes:
    """What a list of outcomes changes in the tables."""

    def __init__(self) -> None:
        self.new: dict[str, Outcome] = {}
        self.completed: dict[str, Outcome] = {}
        self._sums = CandleSums()
        self._windows = WindowSums()
        self._totals = Totals()

    def add(self, of: _Predicted, amounts: dict[str, float], *, shadow: bool, late: bool = False) -> None:
        """Add amounts to the sums. Fallbacks add nothing, because they say nothing about the variant."""
        if of.fallback_reason is not None:
            return
        self._sums.add(of.key, of.answered_at, of.variant, amounts)
        if shadow:
            self._windows.add(of.key, of.window, amounts | {"late": late})
        elif late:
            self._totals.late(of.key.experiment_id, of.variant)

    def write(self, connection: Connection, at: Micros) -> None:
        """Store everything."""
        connection.insert("outcomes", _COLUMNS, ((*outcome, at) for outcome in self.new.values()))
        connection.run_many(
            "UPDATE outcomes SET pnl_pips = ?, closed_at = ? WHERE prediction_id = ?",
            [(outcome.pnl_pips, outcome.closed_at, name) for name, outcome in self.completed.items()],
        )
        self._sums.write(connection)
        self._windows.write(connection)
        self._totals.write(connection)


def record_outcomes(connection: Connection, outcomes: Sequence[Outcome], at: Micros) -> list[OutcomeAnswer]:
    """See Store. Outcomes of fallbacks are stored but not summed."""
    wanted = list(dict.fromkeys(outcome.prediction_id for outcome in outcomes))
    predictions = _predictions(connection, wanted)
    known = {
        row[0]: Outcome(*row)
        for row in among(
            connection,
            "SELECT prediction_id, outcome, pnl_pips, closed_at FROM outcomes WHERE prediction_id IN",
            (),
            wanted,
        )
    }
    experiments = _experiments(connection, {each.key.experiment_id for each in predictions.values()})
    changes = _Changes()

    def answer(outcome: Outcome) -> OutcomeAnswer:
        name = outcome.prediction_id
        prediction, earlier = predictions.get(name), known.get(name)
        if prediction is None:
            return "unknown"
        if (refusal := prediction.refuses(outcome)) is not None:
            return refusal
        merged = outcome if earlier is None else _completed(earlier, outcome)
        if merged is None:
            return "contradicts"
        if merged == earlier:
            return "duplicate"
        known[name] = merged
        experiment = experiments.get(prediction.key.experiment_id)
        shadow = experiment is not None and experiment.mode == "shadow"
        if earlier is None:
            late = experiment is not None and experiment.status == "stopped"
            changes.new[name] = merged
            changes.add(prediction, {_SUM[outcome.outcome]: 1} | _pnl(merged), shadow=shadow, late=late)
            return "late" if late else "recorded"
        (changes.new if name in changes.new else changes.completed)[name] = merged
        if earlier.pnl_pips is None:
            changes.add(prediction, _pnl(merged), shadow=shadow)
        return "completed"

    answers = [answer(outcome) for outcome in outcomes]
    changes.write(connection, at)
    return answers


def _predictions(connection: Connection, wanted: Sequence[str]) -> dict[str, _Predicted]:
    """The predictions with these ids, by their ids."""
    query = """
        SELECT prediction_id, experiment_id, pair, timeframe, candle, answered_at, variant, fallback_reason, window_key,
            signal FROM exposures WHERE prediction_id IN"""
    return {row[0]: _Predicted(CandleKey(*row[1:5]), *row[5:]) for row in among(connection, query, (), wanted)}


def _completed(earlier: Outcome, again: Outcome) -> Outcome | None:
    """The earlier outcome with what the later one adds to it, if anything; None if it has other values."""
    merged = earlier._replace(
        pnl_pips=again.pnl_pips if earlier.pnl_pips is None else earlier.pnl_pips,
        closed_at=again.closed_at if earlier.closed_at is None else earlier.closed_at,
    )
    agrees = all(given is None or given == kept for given, kept in zip(again, merged, strict=True))
    return merged if agrees else None


def _pnl(outcome: Outcome) -> dict[str, float]:
    return {} if outcome.pnl_pips is None else {"pnl": outcome.pnl_pips, "pnl_count": 1}


def _experiments(connection: Connection, experiment_ids: set[str]) -> dict[str, Experiment]:
    """These experiments by their ids.

    An experiment can be missing in the store although its records exist, for example if its state file was lost.
    """
    found: list[Experiment | None] = [stored_experiment(connection, each) for each in experiment_ids]
    return {each.experiment_id: each for each in found if each is not None}
