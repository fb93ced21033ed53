"""All pairs as one table: a row a bar, the pairs one after the other, each oldest bar first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.features import catalogue
from core.features.candles import Candles, Floats
from core.features.labels import SHORT, UNKNOWN, Labels
from lab import labels as rules
from lab.history import History

Mask: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Panel:
    """Inputs and labels of every bar.

    pairs: their names. pair: the number of each row's pair, int8 (n,). times: of the bars, datetime64[s] UTC, (n,).
    features: float64 (n, len(names)), NaN where a pair has too few earlier bars. labels: of the rule, int8 (n,).
    horizon: how many later bars a label uses.
    """

    pairs: tuple[str, ...]
    pair: NDArray[np.int8]
    times: NDArray[np.datetime64]
    names: tuple[str, ...]
    features: Floats
    labels: Labels
    horizon: int

    def __len__(self) -> int:
        return len(self.pair)

    def usable(self, window: int) -> Mask:
        """The rows that have a label, and at which a window of so many rows ends, all of the row's own pair."""
        complete: Mask = np.logical_not(np.isnan(self.features).any(axis=1))
        # In a series of one pair, rows without features come first, so the first row of the window decides.
        complete[window - 1 :] &= complete[: len(complete) - window + 1].copy()
        complete[: window - 1] = False
        complete[window - 1 :] &= self.pair[window - 1 :] == self.pair[: len(self.pair) - window + 1]
        found: Mask = complete & (self.labels != UNKNOWN)
        return found

    @property
    def opportunity(self) -> NDArray[np.float32]:
        """Stage 1's answer of each row: 1 if the label names a direction, else 0."""
        return np.where(self.labels > 0, np.float32(1.0), np.float32(0.0))

    @property
    def short(self) -> NDArray[np.float32]:
        """Stage 2's answer of each row: 1 if the label is SHORT, else 0."""
        return np.where(self.labels == SHORT, np.float32(1.0), np.float32(0.0))


class Fitted(Protocol):
    """Any detector that has been trained."""

    def logits(self, panel: Panel, rows: Rows) -> Floats:
        """The answers for the windows that end at these rows, or another score that ranks them."""


# Trains on the windows that end at some rows; the truth has a value for each row of the panel.
Fit: TypeAlias = Callable[[Panel, Rows, NDArray[np.float32]], Fitted]
Featuring: TypeAlias = Callable[[Candles], Floats]
Labelling: TypeAlias = Callable[[Candles, str], Labels]


def build(histories: Sequence[History], names: Sequence[str], rule: rules.Rule) -> Panel:
    """Compute the features of the catalogue and the labels of a rule for all pairs."""
    return assemble(histories, names, lambda c: features(c, names), lambda c, p: rules.labels(rule, c, p), rule.horizon)


def assemble(
    histories: Sequence[History], names: Sequence[str], featuring: Featuring, labelling: Labelling, horizon: int
) -> Panel:
    """As `build`, from any two functions of a pair's candles."""
    return Panel(
        pairs=tuple(history.pair for history in histories),
        pair=np.repeat(np.arange(len(histories), dtype=np.int8), [len(history) for history in histories]),
        times=np.concatenate([history.timestamps for history in histories]),
        names=tuple(names),
        features=np.concatenate([featuring(history.candles) for history in histories]),
        labels=np.concatenate([labelling(history.candles, history.pair) for history in histories]),
        horizon=horizon,
    )


def features(candles: Candles, names: Sequence[str]) -> Floats:
    """The features of every bar: float64 (n, len(names)); NaN for the first bars, which have too few before them."""
    before = catalogue.recommended_candles(names, 1) - 1
    out = np.full((len(candles), len(names)), np.nan)
    if len(candles) > before:
        out[before:] = catalogue.matrix(candles, names, len(candles) - before)
    return out
