"""Labels of candles, and the rule that gives them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.errors import Conflict
from core.experiments.experiment import ChosenRule, Micros
from core.experiments.label_rule import LabelRule
from core.features.labels import UNKNOWN
from core.store.drivers.database import Connection, among
from core.store.interface import Label, LabelledSeries
from core.store.sql.states import add_rule, read_experiment


def choose_rule(connection: Connection, experiment_id: str, chosen: ChosenRule, *, replace: bool) -> int:
    """See Store."""
    present = read_experiment(connection, experiment_id).label_rule
    if present == chosen.rule:
        return 0
    if present is not None and not replace:
        raise Conflict(
            f"experiment {experiment_id} is labelled by the rule {present}, not by {chosen.rule}; leave the rule out,"
            ' or send "replace": true with an admin token, which drops all its labels'
        )
    add_rule(connection, experiment_id, chosen)
    # Labels of a release that did not store its rule stay: most likely it was this one.
    return 0 if present is None else _drop(connection, experiment_id)


def _drop(connection: Connection, experiment_id: str) -> int:
    """Take all labels of an experiment away; returns the number of candles that had one."""
    return connection.run(
        "UPDATE candles SET label = ?, move_pips = NULL, labelled_at = NULL WHERE experiment_id = ? AND label <> ?",
        [UNKNOWN, experiment_id, UNKNOWN],
    )


def labels(connection: Connection, series: LabelledSeries, candles: Sequence[str]) -> dict[str, Label | None]:
    """See Store. A shadow score has a row like a prediction."""
    query = "SELECT candle, label, move_pips FROM candles WHERE experiment_id = ? AND pair = ? AND timeframe = ?"
    return {
        candle: None if found == UNKNOWN else Label(candle, found, math.nan if move_pips is None else move_pips)
        for candle, found, move_pips in among(connection, f"{query} AND candle IN", series, candles)
    }


def label(connection: Connection, series: LabelledSeries, rule: LabelRule, found: Sequence[Label], at: Micros) -> None:
    """See Store."""
    present = read_experiment(connection, series.experiment_id).label_rule
    if present != rule:
        raise Conflict(f"the rule of experiment {series.experiment_id} is {present} since a moment ago, not {rule}")
    connection.run_many(
        "UPDATE candles SET label = ?, move_pips = ?, labelled_at = ? "
        "WHERE experiment_id = ? AND pair = ? AND timeframe = ? AND candle = ?",
        [(each.label, each.move_pips, at, *series, each.candle) for each in found],
    )
