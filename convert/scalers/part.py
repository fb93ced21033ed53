"""What every part of a scaler does: one fitted estimator of scikit-learn as nodes of a graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convert.graph import GraphBuilder
from core.bundles.limits import Limits

Floats: TypeAlias = NDArray[np.float64]
Estimator: TypeAlias = Any  # of scikit-learn, which has no types
# How a part becomes nodes: as a step of the table, by a graph of our own, or by skl2onnx.
Way: TypeAlias = Literal["table", "own graph", "skl2onnx"]


class Spread(NamedTuple):
    """Where the values of some columns lie: around `centre`, `scale` apart. Both of shape (columns,)."""

    centre: Floats
    scale: Floats


class Part:
    """A fitted estimator that gives as many columns as it takes. The defaults are those of one that changes nothing."""

    ways: frozenset[Way] = frozenset()

    def __init__(self, width: int) -> None:
        self.width = width

    @property
    def changes(self) -> bool:
        """Whether limits that follow from the parts before this one do not hold behind it."""
        return bool(self.ways)

    def write(self, graph: GraphBuilder, scopes: Iterator[str], x: str) -> str:  # noqa: ARG002
        """Add the nodes behind `x`, float64 (…, width). Returns the name of the result. scopes: names for nodes."""
        return x

    def origin(self, spread: Spread) -> Spread:
        """The spread of this part's input for which its output has this spread, as well as that can be said."""
        return spread

    def limits(self, training: Limits | None) -> Limits | None:
        """The limits of this part's output: those of training if known, else those that follow from the fit."""
        return training

    def order(self) -> list[int]:
        """The column of the input from which each column of the output comes."""
        return list(range(self.width))

    def valid(self, rows: Floats) -> NDArray[np.bool_]:
        """Whether scikit-learn takes each value of rows, (rows, width)."""
        return np.ones(rows.shape, np.bool_)

    def transform(self, rows: Floats) -> Floats:
        """The result of scikit-learn's transform for rows, (rows, width), all of them valid."""
        return rows
