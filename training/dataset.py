"""From a history to windows: a chronological split, and the windows of one part.

Each part is a series of its own: its indicators, windows and labels are computed from its bars only. So no window and
no label horizon crosses a split. The cost is the first bars of each part, in which the indicators settle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from core.features import catalogue
from core.features.candles import Candles, Floats
from core.features.labels import NONE, SHORT, UNKNOWN, Labels
from lab.history import DataError, History

SEQUENCE_LENGTH = 20
# The stored windows of a stage, which explanations compare with.
BACKGROUND = 50
# Shares of the bars, oldest first. The test part is used only once, for the scores.
SHARES = {"train": 0.70, "validation": 0.15, "test": 0.15}


class Examples(NamedTuple):
    """Inputs and expected answers, for training or for scores.

    x: float32, scaled, shape (n, SEQUENCE_LENGTH, features). y: float32, 0 or 1, shape (n,).
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]


def split(history: History) -> dict[str, History]:
    """Cut a history into the parts of SHARES, in chronological order."""
    ends = np.round(np.cumsum(list(SHARES.values())) * len(history)).astype(int)
    starts = [0, *ends[:-1]]
    return {name: history.part(slice(a, b)) for name, a, b in zip(SHARES, starts, ends, strict=True)}


def first_bar(names: Sequence[str]) -> int:
    """The first bar of a part that can end a window. In earlier windows the first value of an EMA still weighs."""
    return catalogue.recommended_candles(names, SEQUENCE_LENGTH) - 1


def table(candles: Candles, names: Sequence[str]) -> Floats:
    """The features of every bar that is part of a window: float64, unscaled, shape (bars, len(names)).

    Raises DataError if the part is too short for one window.
    """
    rows = len(candles) - first_bar(names) + SEQUENCE_LENGTH - 1
    if rows < SEQUENCE_LENGTH:
        raise DataError(
            f"a part of {len(candles)} bars is too short: its first window would end at bar {first_bar(names)}"
        )
    return catalogue.matrix(candles, names, rows)


def fit_scaler(candles: Candles, names: Sequence[str]) -> StandardScaler:
    """Fit a scaler on an array in which each bar counts once."""
    return StandardScaler().fit(table(candles, names))


def scaled_ranges(candles: Candles, names: Sequence[str], scaler: StandardScaler) -> dict[str, list[float]]:
    """By feature, the smallest and the largest value that a network receives in training."""
    scaled = scaler.transform(table(candles, names))
    return {
        name: [round(float(column.min()), 6), round(float(column.max()), 6)]
        for name, column in zip(names, scaled.T, strict=True)
    }


def windows(candles: Candles, names: Sequence[str], scaler: StandardScaler) -> NDArray[np.float32]:
    """One scaled window for each bar from first_bar on: shape (len(candles) - first_bar, SEQUENCE_LENGTH, features)."""
    scaled = scaler.transform(table(candles, names)).astype(np.float32)
    return np.ascontiguousarray(sliding_window_view(scaled, SEQUENCE_LENGTH, axis=0).transpose(0, 2, 1))


def background(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Windows for explanations to compare with, of all windows of training: an even spread in time."""
    chosen = np.linspace(0, len(x) - 1, min(BACKGROUND, len(x))).round().astype(np.intp)
    return x[chosen]


def mean_window(x: NDArray[np.float32]) -> list[list[float]]:
    """The mean of all windows of training, with digits as in `scaled_ranges`."""
    rows: list[list[float]] = x.mean(axis=0, dtype=np.float64).round(6).tolist()
    return rows


def reversals(x: NDArray[np.float32], labels: Labels) -> Examples:
    """Stage 1's examples: is there a reversal at the window's last bar? `labels` ends with the last window's bar."""
    known = labels[-len(x) :] != UNKNOWN
    return Examples(x[known], (labels[-len(x) :][known] != NONE).astype(np.float32))


def directions(x: NDArray[np.float32], labels: Labels) -> Examples:
    """Stage 2's examples, reversals only: 0 = long, 1 = short."""
    there = labels[-len(x) :] > NONE
    return Examples(x[there], (labels[-len(x) :][there] == SHORT).astype(np.float32))
