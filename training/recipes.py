"""The three networks of the reference detectors: inputs, labels, decision and file names of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.features.labels import Labels, profitable_reversals, swing_points
from training import architectures, dataset


@dataclass(frozen=True, slots=True)
class Inputs:
    """Features in the network's order, and the files of the list and of the scaler fitted on them."""

    names: tuple[str, ...]
    features_file: str
    scaler_file: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """One network.

    beyond: the decision, `beyond(p, threshold)` in float32; for Stage 1 the threshold itself counts as a reversal.
    measured: the factors by which the rule's parameters were scaled, and the timeframe for which they are meant.
    """

    model_file: str
    metadata_file: str
    inputs: Inputs
    build: Callable[[int, int], Any]
    rule: partial[Labels]
    examples: Callable[[NDArray[np.float32], Labels], dataset.Examples]
    threshold: float
    beyond: Callable[[NDArray[np.float32], np.float32], NDArray[np.bool_]]
    measured: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def background_file(self) -> str:
        """The file of stored windows, beside the metadata."""
        return f"{self.metadata_file.removesuffix('_metadata.json')}_background.npy"

    def positive(self, probability: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which probabilities mean a reversal (Stage 1) or short (Stage 2)."""
        return self.beyond(probability, np.float32(self.threshold))


SWING_INPUTS = Inputs(
    names=(
        *("close", "high", "low", "sma_20", "ema_12", "rsi_14"),
        *("macd", "macd_signal", "bb_middle", "bb_width", "atr_14", "adx_14"),
    ),
    features_file="selected_features.json",
    scaler_file="feature_scaler.pkl",
)
PROFITABLE_INPUTS = Inputs(
    names=(
        *("sma_20", "sma_50", "ema_12", "ema_26", "rsi_14", "macd"),
        *("macd_signal", "macd_histogram", "bb_width", "atr_14", "stoch_k", "adx_14"),
    ),
    features_file="profitable_selected_features.json",
    scaler_file="profitable_feature_scaler.pkl",
)

# 30 pips is about two mean hourly ranges of EUR/USD (14 pips in the training part): more than one bar's noise.
SWING_RULE = partial(swing_points, neighbours=20, min_move_pips=30.0)

SWING = Recipe(
    model_file="reversal_detector_stage1.h5",
    metadata_file="stage1_metadata.json",
    inputs=SWING_INPUTS,
    build=architectures.reversal_detector,
    rule=SWING_RULE,
    examples=dataset.reversals,
    threshold=0.2,
    beyond=np.greater_equal,
)
DIRECTION = Recipe(
    model_file="direction_classifier_stage2.h5",
    metadata_file="stage2_metadata.json",
    inputs=SWING_INPUTS,
    build=architectures.direction_classifier,
    rule=SWING_RULE,
    examples=dataset.directions,
    threshold=0.5,
    beyond=np.greater,
)


def profitable(daily_share: float) -> Recipe:
    """v3.1's Stage 1, with its label rule scaled from daily to hourly bars.

    30 pips of profit and 50 of loss are meant for daily bars. Within the same number of bars a price moves in
    proportion to the range of one bar, so both are multiplied by `daily_share` (training.volatility), which the caller
    measures on the training part. The ratio and the number of bars are not prices, so they stay.
    """
    share = round(daily_share, 6)
    return Recipe(
        model_file="profitable_reversal_detector_stage1.h5",
        metadata_file="profitable_stage1_metadata.json",
        inputs=PROFITABLE_INPUTS,
        build=architectures.reversal_detector,
        rule=partial(
            profitable_reversals,
            horizon=10,
            min_profit_pips=round(30.0 * share, 6),
            max_loss_pips=round(50.0 * share, 6),
            min_ratio=1.5,
        ),
        examples=dataset.reversals,
        threshold=0.5,
        beyond=np.greater_equal,
        measured={"daily_share": share, "timeframe": "1h"},
    )
