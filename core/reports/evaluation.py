"""Labels for recorded predictions, computed from later candles by the rule that training uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.experiments.experiment import ChosenRule
from core.experiments.label_rule import LabelRule
from core.features.candle_keys import candle_key_of_time
from core.features.candles import Candles
from core.features.labels import UNKNOWN, in_pips, pip_of
from core.store.interface import Label, LabelledSeries, Store


class LaterCandles(NamedTuple):
    """A series that extends beyond the candles to label, oldest first.

    instants: the times of the candles in milliseconds since 1970, UTC.
    """

    pair: str
    timeframe: str
    candles: Candles
    instants: Sequence[float]


class Evaluation(NamedTuple):
    """The result of an evaluation, in candles on which the experiment has predictions.

    labelled: labelled for the first time. changed, unchanged: had a label before. too_close: within the rule's horizon
    of either end of the series, or without an ATR, where the rule gives no label; a label from before stays.
    dropped: had a label by another rule, which is replaced; on all series of the experiment.
    """

    labelled: int
    changed: int
    unchanged: int
    too_close: int
    dropped: int


def evaluate(
    store: Store, experiment_id: str, later: LaterCandles, chosen: ChosenRule, *, replace: bool = False
) -> Evaluation:
    """Label the experiment's predictions on these candles by a rule, which becomes the experiment's rule.

    The store's calls block, so this belongs in a thread. Raises UnknownExperiment, StoreUnavailable, or Conflict if the
    experiment has another rule that is not to be replaced.
    """
    series = LabelledSeries(experiment_id, later.pair, later.timeframe)
    found = labels(later, chosen.rule)
    dropped = 0
    # Candles without predictions, such as those of a misspelt pair, do not make their rule the experiment's.
    if store.labels(series, tuple(found)) or store.experiment(experiment_id).label_rules:
        dropped = store.choose_rule(experiment_id, chosen, replace=replace)
    before = store.labels(series, tuple(found))
    known = {key: label for key in before if (label := found[key]) is not None}
    new = [label for key, label in known.items() if before[key] is None]
    changed = [label for key, label in known.items() if before[key] not in (None, label)]
    if new or changed:
        store.label(series, chosen.rule, new + changed, chosen.chosen_at)
    return Evaluation(
        labelled=len(new),
        changed=len(changed),
        unchanged=len(known) - len(new) - len(changed),
        too_close=len(before) - len(known),
        dropped=dropped,
    )


def labels(later: LaterCandles, rule: LabelRule) -> dict[str, Label | None]:
    """The rule's label for each candle, by the candle's key; None if the rule gives it none.

    `move_pips` is the move from the candle's close to the close `rule.horizon` bars later.
    """
    close, pip = later.candles.close, pip_of(later.pair)
    found = rule.labels(later.candles, pip)
    moves = np.full(len(close), np.nan)
    moves[: -rule.horizon] = in_pips(close[rule.horizon :] - close[: -rule.horizon], pip)
    keys = map(candle_key_of_time, later.instants)
    return {
        key: None if label == UNKNOWN else Label(key, label, move)
        for key, label, move in zip(keys, found.tolist(), moves.tolist(), strict=True)
    }
