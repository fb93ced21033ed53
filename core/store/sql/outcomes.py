"""Results of predictions: outcomes reported by clients, and labels found by the labelling rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from core.experiments.experiment import Experiment, Micros
from core.features.labels import UNKNOWN
from core.store.drivers.database import Connection, among
from core.store.interface import Label, Outcome, OutcomeAnswer
from core.store.sql.recording import CandleKey, CandleSums, WindowSums
from core.store.sql.states import stored_experiment

_COLUMNS = ("prediction_id", "outcome", "pnl_pips", "closed_at", "reported_at")
_SUM = {"win": "wins", "loss": "losses", "neutral": "neutrals"}


def record_outcomes(connection: Connection, outcomes: Sequence[Outcome], at: Micros) -> list[OutcomeAnswer]:
    """See Store. Outcomes of fallbacks are stored but not summed, because they say nothing about the variant."""
    wanted = list(dict.fromkeys(outcome.prediction_id for outcome in outcomes))
    predictions = {
        row[0]: row[1:]
        for row in among(
            connection,
            "SELECT prediction_id, experiment_id, pair, timeframe, candle, answered_at, variant, fallback_reason, "
            "window_key "
            "FROM exposures WHERE prediction_id IN",
            (),
            wanted,
        )
    }
    known = {
        row[0]: Outcome(*row)
        for row in among(
            connection,
            "SELECT prediction_id, outcome, pnl_pips, closed_at FROM outcomes WHERE prediction_id IN",
            (),
            wanted,
        )
    }
    experiments = _experiments(connection, {row[0] for row in predictions.values()})
    sums, windows = CandleSums(), WindowSums()
    new: list[Outcome] = []
    answers: list[OutcomeAnswer] = []
    for outcome in outcomes:
        prediction = predictions.get(outcome.prediction_id)
        earlier = known.get(outcome.prediction_id)
        if prediction is None:
            answers.append("unknown")
        elif earlier is not None:
            answers.append("duplicate" if earlier == outcome else "contradicts")
        else:
            known[outcome.prediction_id] = outcome
            new.append(outcome)
            *key, answered_at, variant, fallback_reason, window = prediction
            if fallback_reason is None:
                amounts = _amounts(outcome)
                sums.add(CandleKey(*key), answered_at, variant, amounts)
                if _has(experiments, key[0], mode="shadow"):
                    windows.add(CandleKey(*key), window, amounts)
            answers.append("late" if _has(experiments, prediction[0], status="stopped") else "recorded")
    connection.insert("outcomes", _COLUMNS, ((*outcome, at) for outcome in new))
    sums.write(connection)
    windows.write(connection)
    return answers


class Place(NamedTuple):
    """The series of candles that a label belongs to."""

    experiment_id: str
    pair: str
    timeframe: str


def labels(connection: Connection, place: Place, candles: Sequence[str]) -> dict[str, Label | None]:
    """See Store. A shadow score has a row like a prediction."""
    query = "SELECT candle, label, move_pips FROM candles WHERE experiment_id = ? AND pair = ? AND timeframe = ?"
    return {
        candle: None if found == UNKNOWN else Label(candle, found, math.nan if move_pips is None else move_pips)
        for candle, found, move_pips in among(connection, f"{query} AND candle IN", place, candles)
    }


def label(connection: Connection, place: Place, found: Sequence[Label], at: Micros) -> None:
    """See Store."""
    connection.run_many(
        "UPDATE candles SET label = ?, move_pips = ?, labelled_at = ? "
        "WHERE experiment_id = ? AND pair = ? AND timeframe = ? AND candle = ?",
        [(each.label, each.move_pips, at, *place, each.candle) for each in found],
    )


def _amounts(outcome: Outcome) -> dict[str, float]:
    amounts: dict[str, float] = {_SUM[outcome.outcome]: 1}
    if outcome.pnl_pips is not None:
        amounts |= {"pnl": outcome.pnl_pips, "pnl_count": 1}
    return amounts


def _experiments(connection: Connection, experiment_ids: set[str]) -> dict[str, Experiment]:
    """These experiments by their ids.

    An experiment can be missing in the store although its records exist, for example if its state file was lost.
    """
    found: list[Experiment | None] = [stored_experiment(connection, each) for each in experiment_ids]
    return {each.experiment_id: each for each in found if each is not None}


def _has(experiments: dict[str, Experiment], experiment_id: str, **fields: str) -> bool:
    """Whether an experiment exists and has these values."""
    found = experiments.get(experiment_id)
    return found is not None and all(getattr(found, name) == value for name, value in fields.items())
