"""Layers that merge several tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras, Tensor
from convert.layers.calls import Constant, Given, flat
from convert.layers.checks import feature_axes, of_keras_2

# The operator between two inputs of each layer.
_OPERATORS = {
    "Add": "Add",
    "Average": "Add",
    "Maximum": "Max",
    "Minimum": "Min",
    "Multiply": "Mul",
    "Subtract": "Sub",
}


_WINDOW_RANK = 2  # steps and features, without the batch
# The layers that can merge a constant, such as the encoding of the positions, with the window.
WITH_CONSTANTS = frozenset(_OPERATORS)


def inputs_of(graph: GraphBuilder, scope: str, layer: Keras, given: Given) -> list[Tensor]:
    """The inputs of a merging layer. A constant that is the same for each window is one of them."""
    args = [*flat(given.args)]
    rank = max((len(x.shape) for x in args if isinstance(x, Tensor)), default=0)
    if type(layer).__name__ in WITH_CONSTANTS:
        args = [
            _constant(graph, f"{scope}/constant_{i}", x, rank) if isinstance(x, np.ndarray) else x
            for i, x in enumerate(args)
        ]
    return given._replace(args=tuple(args)).tensors(scope, layer)


def _constant(graph: GraphBuilder, name: str, values: Constant, rank: int) -> Tensor:
    """A constant with the axes of the others, whose first one is the batch. Keras adds none to it."""
    if values.ndim != rank + 1 or values.shape[0] != 1 or values.dtype.kind not in "iuf":
        raise Refused.at(
            name.rpartition("/")[0],
            f"a constant of the shape {values.shape} cannot be merged, only one of {rank + 1} axes, of which the first"
            " is 1",
        )
    return Tensor(graph.constant(name, values.astype(np.float32)), values.shape[1:])


def _concatenate(graph: GraphBuilder, scope: str, layer: Keras, inputs: Sequence[Tensor]) -> Tensor:
    (axis,) = feature_axes(scope, layer, inputs[0])
    aligned = [graph.batch_major(x) for x in inputs]
    shape = list(aligned[0].shape)
    shape[axis - 1] = sum(x.shape[axis - 1] for x in aligned)
    along = -1 if axis == len(shape) else axis
    name = graph.value("Concat", scope, *(x.name for x in aligned), axis=along)
    return Tensor(name, tuple(shape), mask=_mask_of_concatenated(graph, scope, layer, inputs, along))


def _mask_of_concatenated(
    graph: GraphBuilder, scope: str, layer: Keras, inputs: Sequence[Tensor], axis: int
) -> str | None:
    """Beside each other, a step counts in Keras 2 if it counts in every input, in Keras 3 if in any."""
    known = next((x.mask for x in inputs if x.mask is not None), None)
    if known is None:
        return None
    if any(len(x.shape) != _WINDOW_RANK for x in inputs):
        raise Refused.at(scope, f"Concatenate of masked steps of shape {inputs[0].shape} cannot be converted")
    if axis == -1:
        given = list(dict.fromkeys(x.mask for x in inputs if x.mask is not None))
        if not of_keras_2(layer) and any(x.mask is None for x in inputs):
            return _every_step(graph, scope, known)
        return _joined(graph, scope, "And" if of_keras_2(layer) else "Or", given)
    masks = []
    for x in inputs:
        if x.mask is None:
            first = graph.value("Gather", scope, known, graph.constant("integers_0", np.array([0])), axis=1)
            counted = graph.constant(f"{scope}/counted_{x.shape[0]}", np.ones((1, x.shape[0]), np.bool_))
            masks.append(graph.value("Or", scope, first, counted))
        else:
            masks.append(x.mask)
    return graph.value("Concat", scope, *masks, axis=1)


def _elementwise(graph: GraphBuilder, scope: str, layer: Keras, inputs: Sequence[Tensor]) -> Tensor:
    """Merge values of the same place. Keras gives inputs with fewer axes new ones after the batch."""
    kind = type(layer).__name__
    rank = max(len(x.shape) for x in inputs)
    if any(x.mask is not None and len(x.shape) != _WINDOW_RANK for x in inputs) or (
        rank != _WINDOW_RANK and any(x.mask is not None for x in inputs)
    ):
        raise Refused.at(scope, f"{kind} of masked steps with tensors of more axes cannot be converted")
    aligned = [_of_rank(graph, scope, graph.batch_major(x), rank) for x in inputs]
    masked = kind == "Multiply" and not of_keras_2(layer)
    names = [_one_unless_counted(graph, scope, x) if masked else x.name for x in aligned]
    if kind in {"Maximum", "Minimum"} and not of_keras_2(layer):
        names = _replaced_unless_counted(graph, scope, _OPERATORS[kind], aligned)
    name = names[0]
    for other in names[1:]:
        name = graph.value(_OPERATORS[kind], scope, name, other)
    if kind == "Average":
        name = graph.value("Div", scope, name, graph.constant(f"{scope}/count", np.array(len(inputs), np.float32)))
    mask = _merged_mask(graph, scope, layer, [x.mask for x in inputs])
    shape = tuple(int(n) for n in np.broadcast_shapes(*(x.shape for x in aligned)))
    if mask is not None and any(x.mask is not None and x.shape[0] != shape[0] for x in inputs):
        raise Refused.at(scope, f"{kind} of masked steps with more steps cannot be converted")
    if masked and mask is not None:
        shown = graph.value("Unsqueeze", scope, mask, graph.constant("integers_2", np.array([2])))
        name = graph.value("Where", scope, shown, name, graph.constant("zero", np.array(0.0, np.float32)))
    return Tensor(name, shape, mask=mask)


def _of_rank(graph: GraphBuilder, scope: str, x: Tensor, rank: int) -> Tensor:
    missing = rank - len(x.shape)
    if not missing:
        return x
    axes = graph.constant(f"{scope}/axes_{missing}", np.arange(1, missing + 1))
    return Tensor(graph.value("Unsqueeze", scope, x.name, axes), (*[1] * missing, *x.shape))


def _one_unless_counted(graph: GraphBuilder, scope: str, x: Tensor) -> str:
    """A factor of Keras 3: masked steps are 1."""
    if x.mask is None:
        return x.name
    shown = graph.value("Unsqueeze", scope, x.mask, graph.constant("integers_2", np.array([2])))
    return graph.value("Where", scope, shown, x.name, graph.constant("float_1", np.array(1.0, np.float32)))


def _replaced_unless_counted(graph: GraphBuilder, scope: str, op: str, inputs: Sequence[Tensor]) -> list[str]:
    """Maximum and Minimum of Keras 3: a masked step of one input is that of the others. Returns the merged value."""
    name, mask = inputs[0].name, inputs[0].mask
    two = graph.constant("integers_2", np.array([2]))
    for x in inputs[1:]:
        other = x.name
        if x.mask is not None:
            other = graph.value("Where", scope, graph.value("Unsqueeze", scope, x.mask, two), other, name)
        if mask is not None:
            name = graph.value("Where", scope, graph.value("Unsqueeze", scope, mask, two), name, other)
        mask = None if mask is None or x.mask is None else graph.value("Or", scope, mask, x.mask)
        name = graph.value(op, scope, name, other)
    return [name]


def _merged_mask(graph: GraphBuilder, scope: str, layer: Keras, masks: Sequence[str | None]) -> str | None:
    """A step counts in Keras 2 if it counts in every masked input, in Keras 3 if in any.

    In Keras 3, an input without a mask makes every step count, so there is no mask.
    """
    found = list(dict.fromkeys(mask for mask in masks if mask is not None))
    if not found or (None in masks and not of_keras_2(layer)):
        return None
    return _joined(graph, scope, "And" if of_keras_2(layer) else "Or", found)


def _joined(graph: GraphBuilder, scope: str, op: str, masks: Sequence[str]) -> str:
    name = masks[0]
    for mask in masks[1:]:
        name = graph.value(op, scope, name, mask)
    return name


def _every_step(graph: GraphBuilder, scope: str, mask: str) -> str:
    return graph.value("Or", scope, mask, graph.value("Not", scope, mask))


ROWS = {"Concatenate": _concatenate, **dict.fromkeys(_OPERATORS, _elementwise)}
