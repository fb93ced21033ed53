"""The audit of a network's training, and of all pairs over more years."""

from __future__ import annotations

import numpy as np
import pytest

from lab import networks, panel, trees
from lab.history import History
from lab.labels import TRADES_3_ATR
from lab.leaks import learning, of_lab
from lab.leaks.audit import audit
from lab.leaks.preparation import Learned
from lab.panel import Panel
from lab.splits import LEFT_OUT, Split
from tests.lab import planted

pytestmark = pytest.mark.long


@pytest.mark.parametrize("kind", ["perceptron", "tcn"])
def test_a_network_is_trained_on_the_training_only(kind: str) -> None:
    settings = networks.NetworkSettings(kind, window=8, width=8, depth=1, epochs=1)

    def learn(panel: Panel, split: Split) -> Learned:
        fitted = networks.fit(panel, np.flatnonzero(split.train), panel.opportunity, settings)
        weights = np.concatenate([each.ravel() for each in fitted.network.get_weights()])
        return Learned({"scaler": fitted.scaler.mean_, "weights": weights}, {})

    whole = planted.table(planted.histories())
    way = planted.CLEAN._replace(window=settings.window, learn=learn)
    split = planted.split(whole)
    split = Split(*(part & whole.usable(settings.window) for part in split))
    assert list(learning.check(way, whole, split)) == []
    # It is found if the network sees other rows.
    leaking = way._replace(learn=lambda panel, split: learn(panel, split._replace(train=split.train | split.test)))
    assert {leak.check for leak in learning.check(leaking, whole, split)} == {"fitted"}


@pytest.mark.timeout(900)
def test_the_lab_has_no_leak_over_all_pairs_and_two_years(broker: list[History]) -> None:
    own = [
        each.part(slice(int(np.searchsorted(each.timestamps, np.datetime64("2018-10-01"))), None)) for each in broker
    ]
    settings = trees.TreeSettings(window=20, trees=10)
    names = (*planted.NAMES, "bb_position", "efficiency_24", "atr_ratio_14_100", "week_cos", "macd")
    way = of_lab.preparation(names, TRADES_3_ATR, settings, left_out=LEFT_OUT)
    assert audit(way, own) == []
    assert len(panel.build(own, names, TRADES_3_ATR)) > 100_000
