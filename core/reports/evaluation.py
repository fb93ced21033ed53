"""Labels for recorded predictions, computed from later candles by the rule that training uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta

from core.experiments.experiment import Micros
from core.features.candle_keys import candle_key_of_time
from core.features.candles import Candles
from core.features.labels import UNKNOWN, in_pips, pip_of, profitable_reversals
from core.store.interface import Label, Store

Horizon: TypeAlias = Annotated[int, Meta(ge=1, le=500)]
Distance: TypeAlias = Annotated[float, Meta(ge=0, le=1e6)]
Ratio: TypeAlias = Annotated[float, Meta(ge=0, le=1e6)]


class LabelRule(msgspec.Struct, frozen=True):
    """Parameters of core.features.labels.profitable_reversals. The defaults of 30 and 50 pips suit daily bars."""

    horizon: Horizon = 10
    min_profit_pips: Distance = 30.0
    max_loss_pips: Distance = 50.0
    min_ratio: Ratio = 1.5

    @property
    def minimum_candles(self) -> int:
        """The length of the shortest series in which one candle can be labelled."""
        return 2 * self.horizon + 1


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
    of either end of the series, where the rule gives no label; a label from before stays.
    """

    labelled: int
    changed: int
    unchanged: int
    too_close: int


def evaluate(store: Store, experiment_id: str, later: LaterCandles, rule: LabelRule, at: Micros) -> Evaluation:
    """Label the experiment's predictions on these candles.

    The store's calls block, so this belongs in a thread. Raises UnknownExperiment or StoreUnavailable.
    """
    store.experiment(experiment_id)
    found = labels(later, rule)
    before = store.labels(experiment_id, later.pair, later.timeframe, tuple(found))
    known = {key: label for key in before if (label := found[key]) is not None}
    new = [label for key, label in known.items() if before[key] is None]
    changed = [label for key, label in known.items() if before[key] not in (None, label)]
    if new or changed:
        store.label(experiment_id, later.pair, later.timeframe, new + changed, at)
    return Evaluation(
        labelled=len(new),
        changed=len(changed),
        unchanged=len(known) - len(new) - len(changed),
        too_close=len(before) - len(known),
    )


def labels(later: LaterCandles, rule: LabelRule) -> dict[str, Label | None]:
    """The rule's label for each candle, by the candle's key; None if the series is too short to tell.

    `move_pips` is the move from the candle's close to the close `rule.horizon` bars later.
    """
    close, pip = later.candles.close, pip_of(later.pair)
    found = profitable_reversals(
        later.candles,
        horizon=rule.horizon,
        min_profit_pips=rule.min_profit_pips,
        max_loss_pips=rule.max_loss_pips,
        min_ratio=rule.min_ratio,
        pip=pip,
    )
    moves = np.full(len(close), np.nan)
    moves[: -rule.horizon] = in_pips(close[rule.horizon :] - close[: -rule.horizon], pip)
    keys = map(candle_key_of_time, later.instants)
    return {
        key: None if label == UNKNOWN else Label(key, label, move)
        for key, label, move in zip(keys, found.tolist(), moves.tolist(), strict=True)
    }
