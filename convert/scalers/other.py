"""SimpleImputer, and the estimators that skl2onnx converts.

skl2onnx 1.20 emits an operator for SimpleImputer that ONNX Runtime does not have in float64.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convert.errors import Refused
from convert.graph import GraphBuilder
from convert.scalers import by_skl2onnx
from convert.scalers.part import Estimator, Floats, Part, Spread


class Imputer(Part):
    """A SimpleImputer. The server takes finite values only, so one for NaN has nothing to replace."""

    ways = frozenset({"own graph"})

    def __init__(self, estimator: Estimator, width: int) -> None:
        super().__init__(width)
        self._estimator = estimator
        self._statistics = np.asarray(estimator.statistics_, np.float64)
        if estimator.add_indicator:
            raise Refused("SimpleImputer with add_indicator adds columns; fit it without")
        if self._statistics.shape != (width,) or not np.isfinite(self._statistics).all():
            raise Refused(
                f"statistics_ of shape {self._statistics.shape} for {width} features, or a feature without any value, "
                "which SimpleImputer leaves out; leave it out of the features too"
            )
        missing = estimator.missing_values
        if isinstance(missing, bool | str) or not isinstance(missing, int | float | np.number):
            raise Refused(f"SimpleImputer replaces {missing!r}; known: numbers and NaN")
        self._missing = float(missing)

    def write(self, graph: GraphBuilder, scopes: Iterator[str], x: str) -> str:
        """See Part."""
        if np.isnan(self._missing):
            return x
        scope = next(scopes)
        missing = graph.value("Equal", scope, x, graph.constant(f"{scope}/missing", np.asarray(self._missing)))
        return graph.value("Where", scope, missing, graph.constant(f"{scope}/statistics", self._statistics), x)

    @property
    def changes(self) -> bool:
        """See Part."""
        return False

    def transform(self, rows: Floats) -> Floats:
        """See Part."""
        found: Floats = self._estimator.transform(rows)
        return found


class Converted(Part):
    """An estimator that skl2onnx converts. Nothing follows from it for the limits of its output."""

    ways = frozenset({"skl2onnx"})

    def __init__(self, estimator: Estimator, width: int) -> None:
        super().__init__(width)
        self._estimator = estimator

    def write(self, graph: GraphBuilder, scopes: Iterator[str], x: str) -> str:
        """See Part."""
        return by_skl2onnx.write(self._estimator, self.width, graph, next(scopes), x)

    def origin(self, spread: Spread) -> Spread:
        """See Part."""
        threshold = getattr(self._estimator, "threshold", None)
        return spread if threshold is None else Spread(np.full(self.width, float(threshold)), np.ones(self.width))

    def transform(self, rows: Floats) -> Floats:
        """See Part."""
        found: Floats = self._estimator.transform(rows)
        return found
