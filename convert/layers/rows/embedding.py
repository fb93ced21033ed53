"""Embeddings of positions, which are the same for every window."""

from __future__ import annotations

import numpy as np

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras
from convert.layers.calls import Given, Value


def _embedding(_graph: GraphBuilder, scope: str, layer: Keras, given: Given) -> list[Value]:
    """The rows of the weights at constant positions, as a constant."""
    bound = given.bound(scope, "Embedding", ("inputs", "training"))
    positions = bound.get("inputs")
    if not (isinstance(positions, np.ndarray) and positions.dtype.kind in "iu") or bound.get("training"):
        raise Refused.at(scope, "Embedding of values of the window cannot be converted, only of constant positions")
    if layer.mask_zero:
        raise Refused.at(scope, "Embedding with mask_zero=True cannot be converted")
    weights = np.asarray(layer.embeddings)
    if positions.min() < 0 or positions.max() >= len(weights):
        raise Refused.at(scope, f"Embedding of {len(weights)} rows is asked for row {positions.max()}")
    return [weights[positions]]


ROWS = {"Embedding": _embedding}
