"""Normalizer in float64. skl2onnx has no norm `max`, and gives NaN for a row of zeros."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convert.errors import Refused
from convert.graph import GraphBuilder
from convert.scalers.part import Estimator, Floats, Part

# The operator that gives the norm of a row, of its absolute values for l1 and max.
_NORMS = {"l1": "ReduceSum", "l2": "ReduceSumSquare", "max": "ReduceMax"}


class Rows(Part):
    """A Normalizer: each row divided by its norm, and a row of zeros as it is. No limits follow from it."""

    ways = frozenset({"own graph"})

    def __init__(self, estimator: Estimator, width: int) -> None:
        super().__init__(width)
        self._estimator = estimator
        if estimator.norm not in _NORMS:
            raise Refused(f"the norm {estimator.norm!r} of a Normalizer; known: {', '.join(_NORMS)}")

    def write(self, graph: GraphBuilder, scopes: Iterator[str], x: str) -> str:
        """See Part."""
        scope, norm = next(scopes), self._estimator.norm
        size = graph.value("Abs", scope, x)
        if norm == "l1":  # the axes of this one are an input
            norms = graph.value("ReduceSum", scope, size, graph.constant(f"{scope}/axis", np.asarray([-1])), keepdims=1)
        else:
            norms = graph.value(_NORMS[norm], scope, size, axes=[-1], keepdims=1)
        if norm == "l2":
            norms = graph.value("Sqrt", scope, norms)
        zero, one = (graph.constant(f"{scope}/{n}", np.asarray(float(n))) for n in (0, 1))
        empty = graph.value("Equal", scope, norms, zero)
        return graph.value("Div", scope, x, graph.value("Where", scope, empty, one, norms))

    def transform(self, rows: Floats) -> Floats:
        """See Part."""
        found: Floats = self._estimator.transform(rows)
        return found
