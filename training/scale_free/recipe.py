"""v3.2: both stages on features without a unit, from all pairs at once, so that one detector serves any pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console

from lab import calibration, history, networks, panel, splits, trees
from lab.history import History
from lab.labels import TRADES_3_ATR
from lab.networks import FittedNetwork, NetworkSettings
from lab.panel import Mask, Panel, Rows
from lab.trees import FittedTrees, TreeSettings

VERSION = "v3.2"

# Shapes and moves of bars in ATR. With this window they need exactly the 100 candles that the backend sends. The clock
# is not among them: the window shows four days, in which the network finds the hours by itself, and so the detector
# needs no timestamps and does not depend on a broker's clock. docs/lab-search.md has what that costs.
STAGE1_NAMES = ("true_range_atr", "body_atr", "upper_wick_atr", "lower_wick_atr", "gap_atr", "move_10_atr")
STAGE1 = NetworkSettings("tcn", window=86, width=32, depth=3, dropout=0.1, learning_rate=2e-3, epochs=3)
# Which way a market goes is nearly chance, so Stage 2 is small: a few trees on the last bar.
STAGE2_NAMES = (
    *("move_1_atr", "move_3_atr", "move_10_atr", "move_20_atr", "move_60_atr", "sma_20_distance", "sma_50_distance"),
    *("bb_position", "stoch_k", "stoch_k_56", "rsi_14", "close_position", "efficiency_20", "body_atr"),
)
STAGE2 = TreeSettings(trees=150, leaves=7, learning_rate=0.03, min_data_in_leaf=3000, l2=50.0)

# The aim of the threshold: in the validation year, at least every second alarm is followed by such a move. The lowest
# threshold with that precision is in the metadata of each training; this is its first one, with two digits.
PRECISION = 0.5
THRESHOLD = 0.35
# Of a trade, in pips: the spread of a retail account.
COST_PIPS = 0.8


@dataclass(frozen=True, slots=True)
class ScaleFree:
    """Both fitted stages. temperature: already in the weights of Stage 1's network.

    lowest_threshold: the lowest one that satisfies the aim in the validation part.
    """

    stage1: FittedNetwork
    stage2: FittedTrees
    temperature: float
    lowest_threshold: float


@dataclass(frozen=True, slots=True)
class Material:
    """The two panels of the same bars, with the features of each stage."""

    histories: Sequence[History]
    stage1: Panel
    stage2: Panel

    def rows(self, part: Mask) -> Rows:
        """The rows of a part at which Stage 1 can answer and the label is known."""
        return np.flatnonzero(part & self.stage1.usable(STAGE1.window))

    def directions(self, part: Mask) -> Rows:
        """The rows of a part at which exactly one direction pays: Stage 2's examples."""
        return np.flatnonzero(part & self.stage2.usable(STAGE2.window) & (self.stage2.labels > 0))


def material(histories: Sequence[History] | None = None) -> Material:
    """Read the committed histories, and compute features and labels."""
    found = history.read_all() if histories is None else histories
    return Material(found, *(panel.build(found, names, TRADES_3_ATR) for names in (STAGE1_NAMES, STAGE2_NAMES)))


def fit(given: Material, train: Mask, validation: Mask) -> ScaleFree:
    """Fit both stages on the training part; temperature and threshold come from the validation part."""
    truth, rows = given.stage1.opportunity, given.rows(validation)
    stage1 = networks.fit(given.stage1, given.rows(train), truth, STAGE1, _progress("Stage 1"))
    logit = stage1.logits(given.stage1, rows)
    temperature = calibration.temperature(logit, truth[rows])
    networks.temper(stage1.network, temperature)
    lowest = calibration.threshold_for_precision(calibration.sigmoid(logit / temperature), truth[rows], PRECISION)
    stage2 = trees.fit(given.stage2, given.directions(train), given.stage2.short, STAGE2)
    return ScaleFree(stage1, stage2, temperature, lowest)


def train(given: Material, without: Sequence[str] = ()) -> ScaleFree:
    """Train as v3.2 is trained; `without`: pairs that neither training nor validation sees."""
    split = splits.expanding(given.stage1, splits.UNTOUCHED)
    seen = ~splits.of_pairs(given.stage1, without)
    return fit(given, split.train & seen, split.validation & seen)


def _progress(name: str) -> Callable[[int, Any], None]:
    def show(epoch: int, _: object) -> None:
        Console().print(f"{name}: epoch {epoch} of {STAGE1.epochs}", highlight=False)

    return show
