"""Layers that merge several tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras, Tensor
from convert.layers.checks import unmasked

# The operator between two inputs of each layer.
_OPERATORS = {
    "Add": "Add",
    "Average": "Add",
    "Maximum": "Max",
    "Minimum": "Min",
    "Multiply": "Mul",
    "Subtract": "Sub",
}


def _concatenate(graph: GraphBuilder, scope: str, layer: Keras, inputs: Sequence[Tensor]) -> Tensor:
    rank = len(inputs[0].shape)
    aligned = [graph.batch_major(x) for x in inputs]
    if layer.axis not in (-1, rank):
        axis = layer.axis if layer.axis > 0 else rank + 1 + layer.axis
        if not 0 < axis < rank:
            raise Refused.at(scope, f"Concatenate along axis {layer.axis} cannot be converted")
        unmasked(scope, layer, *inputs)
        shape = list(aligned[0].shape)
        shape[axis - 1] = sum(x.shape[axis - 1] for x in aligned)
        return Tensor(graph.value("Concat", scope, *(x.name for x in aligned), axis=axis), tuple(shape))
    width = sum(x.shape[-1] for x in aligned)
    name = graph.value("Concat", scope, *(x.name for x in aligned), axis=-1)
    mask = _merged_mask(graph, scope, layer, [x.mask for x in inputs])
    return Tensor(name, (*aligned[0].shape[:-1], width), mask=mask)


def _elementwise(graph: GraphBuilder, scope: str, layer: Keras, inputs: Sequence[Tensor]) -> Tensor:
    kind = type(layer).__name__
    if len({len(x.shape) for x in inputs}) > 1:
        shapes = [x.shape for x in inputs]
        raise Refused.at(scope, f"{kind} of shapes {shapes} cannot be converted, only of equally many axes")
    if kind == "Multiply":  # Keras 3 replaces masked steps by 1
        unmasked(scope, layer, *inputs)
    first, *others = [graph.batch_major(x) for x in inputs]
    name = first.name
    for x in others:
        name = graph.value(_OPERATORS[kind], scope, name, x.name)
    if kind == "Average":
        name = graph.value("Div", scope, name, graph.constant(f"{scope}/count", np.array(len(inputs), np.float32)))
    mask = _merged_mask(graph, scope, layer, [x.mask for x in inputs])
    shape = tuple(int(n) for n in np.broadcast_shapes(*(x.shape for x in inputs)))
    if mask is not None and any(x.shape != shape for x in inputs):
        raise Refused.at(scope, f"{kind} of masked steps of different shapes cannot be converted")
    return Tensor(name, shape, mask=mask)


def _merged_mask(graph: GraphBuilder, scope: str, layer: Keras, masks: Sequence[str | None]) -> str | None:
    """The mask of a merging layer. A step counts in Keras 2 if it counts in every masked input, in Keras 3 if in any.

    In Keras 3, an input without a mask makes every step count: Add then has no mask, and Concatenate a full one.
    """
    found = list(dict.fromkeys(mask for mask in masks if mask is not None))
    keras_2 = type(layer).__module__.startswith("tf_keras")
    if not found:
        return None
    if not keras_2 and None in masks:
        full = graph.value("Or", scope, found[0], graph.value("Not", scope, found[0]))
        return full if type(layer).__name__ == "Concatenate" else None
    name = found[0]
    for mask in found[1:]:
        name = graph.value("And" if keras_2 else "Or", scope, name, mask)
    return name


ROWS = {"Concatenate": _concatenate, **dict.fromkeys(_OPERATORS, _elementwise)}
