"""What a trial of the search trains: features, a window and a model, or the mean of two models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.features import catalogue
from core.features.candles import Floats
from lab import networks, trees
from lab.networks import NetworkSettings
from lab.panel import Fit, Fitted, Panel, Rows
from lab.trees import TreeSettings

# The candles that the backend sends. A candidate that needs more can be served to other clients only.
SENT_CANDLES = 100

_BAR = ("true_range_atr", "body_atr", "upper_wick_atr", "lower_wick_atr", "gap_atr", "move_10_atr")
_CLOCK = ("hour_sin", "hour_cos", "week_sin", "week_cos")
# Look-backs of at most 97 bars, so that four rows of them need the 100 candles that are sent.
_ENGINEERED = (
    *_BAR,
    *("close_position", "bb_position", "rsi_14", "stoch_k", "stoch_k_28", "stoch_k_56"),
    *("atr_ratio_3_14", "atr_ratio_7_14", "atr_ratio_14_24", "atr_ratio_14_48", "atr_ratio_14_96"),
    *("range_6_atr", "range_12_atr", "range_24_atr", "range_48_atr", "range_96_atr"),
    *("sma_20_distance", "sma_50_distance", "sma_96_distance", "move_3_atr", "move_24_atr", "move_48_atr"),
    *("efficiency_10", "efficiency_24", "volatility_ratio_10_50"),
)
FEATURES: dict[str, tuple[str, ...]] = {
    "bar": _BAR,
    "bar_clock": (*_BAR, *_CLOCK),
    "engineered": _ENGINEERED,
    "engineered_clock": (*_ENGINEERED, *_CLOCK),
}
NETWORKS = ("lstm", "gru", "tcn", "transformer")
TREES, MEAN = "trees", "mean"
KINDS = (*NETWORKS, TREES, MEAN)
# At how many points of a training the score is looked at: after each epoch, or after as many equal parts of the trees.
PARTS = 3


# Called after each part of a training but the last one, with its number from 1.
AfterPart: TypeAlias = Callable[[int, Fitted], None]


class FittedMean(NamedTuple):
    """The mean of the members' logits."""

    members: tuple[Fitted, ...]

    def logits(self, panel: Panel, rows: Rows) -> Floats:
        """The mean for the windows that end at these rows."""
        found: Floats = np.mean([member.logits(panel, rows) for member in self.members], axis=0)
        return found


class Candidate(NamedTuple):
    """features: a key of FEATURES. One of the two settings, or both for the mean."""

    features: str
    network: NetworkSettings | None = None
    trees: TreeSettings | None = None

    @property
    def kind(self) -> str:
        """One of KINDS."""
        if self.network is None:
            return TREES
        return self.network.kind if self.trees is None else MEAN

    @property
    def window(self) -> int:
        """The longer window of the members."""
        return max(each.window for each in (self.network, self.trees) if each is not None)

    @property
    def required_candles(self) -> int:
        """The least number of candles from which it can answer."""
        return catalogue.required_candles(FEATURES[self.features], self.window)

    @property
    def served(self) -> bool:
        """Whether the candles that the backend sends are enough."""
        return self.required_candles <= SENT_CANDLES

    def values(self) -> dict[str, Any]:
        """All of it for JSON."""
        found: dict[str, Any] = {"kind": self.kind, "features": self.features}
        if self.network is not None:
            found["network"] = self.network._asdict()
        if self.trees is not None:
            found["trees"] = self.trees._asdict()
        return found

    @classmethod
    def of(cls, values: dict[str, Any]) -> Candidate:
        """The candidate with these values."""
        network, ensemble = values.get("network"), values.get("trees")
        return cls(
            values["features"],
            None if network is None else NetworkSettings(**network),
            None if ensemble is None else TreeSettings(**ensemble),
        )

    def __str__(self) -> str:
        parts = [f"{self.features}, window {self.window}"]
        if self.trees is not None:
            bars = "" if self.trees.window == self.window else f" over {self.trees.window} bars"
            parts.append(f"{self.trees.trees} trees of {self.trees.leaves} leaves{bars}")
        if self.network is not None:
            parts.append(f"{self.network.kind} {self.network.depth} x {self.network.width}")
        return ", ".join(parts)


def fit(
    panel: Panel, rows: Rows, truth: NDArray[np.float32], candidate: Candidate, after_part: AfterPart | None = None
) -> Fitted:
    """Train on the windows that end at `rows`; truth: 0 or 1 by row of the panel.

    Of a mean, the trees come first, and the score is looked at while the network is fitted.
    """
    members: tuple[Fitted, ...] = ()
    if candidate.trees is not None:
        settings = candidate.trees
        watched = after_part if candidate.network is None else None
        members = (trees.fit(panel, rows, truth, settings, _after_trees(settings, watched)),)
    if candidate.network is None:
        return members[0]
    if after_part is None:
        network = networks.fit(panel, rows, truth, candidate.network)
    else:
        report, epochs = after_part, candidate.network.epochs

        def after_epoch(epoch: int, fitted: networks.FittedNetwork) -> None:
            # The averaged weights are in place only after the last epoch.
            if epoch < epochs:
                report(epoch, FittedMean((*members, fitted)) if members else fitted)

        network = networks.fit(panel, rows, truth, candidate.network, after_epoch)
    return FittedMean((*members, network)) if members else network


def fitting(candidate: Candidate) -> Fit:
    """The training of a candidate, as the baselines have theirs."""
    return lambda panel, rows, truth: fit(panel, rows, truth, candidate)


def _after_trees(settings: TreeSettings, after_part: AfterPart | None) -> Callable[[int, Any], None] | None:
    if after_part is None:
        return None
    ends = {round(settings.trees * part / PARTS): part for part in range(1, PARTS)}

    def after(done: int, booster: Any) -> None:  # noqa: ANN401 - LightGBM's callbacks have no types
        if done in ends:
            after_part(ends[done], trees.FittedTrees(settings, booster))

    return after
