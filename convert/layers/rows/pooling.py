"""Pools over steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.errors import Refused
from convert.graph import FLOAT, GraphBuilder, Keras, Tensor
from convert.layers.checks import channels_last, unmasked
from convert.layers.rows.convolution import over_steps, padding


def _pool(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    unmasked(scope, layer, x)
    channels_last(scope, layer)
    if layer.padding not in {"same", "valid"}:
        raise Refused.at(scope, f"{type(layer).__name__} with padding={layer.padding!r} cannot be converted")
    width, stride = _one(layer.pool_size), _one(layer.strides)
    pads = padding(layer.padding, x.shape[0], width, stride)
    attributes: dict[str, Any] = {"kernel_shape": [width], "strides": [stride], "pads": list(pads)}
    # TensorFlow's average leaves out the padding; so does ONNX by default.
    op = "MaxPool" if type(layer).__name__.startswith("Max") else "AveragePool"
    name = over_steps(graph, scope, x, lambda value: graph.value(op, scope, value, **attributes))
    return Tensor(name, ((x.shape[0] + sum(pads) - width) // stride + 1, x.shape[1]))


def _global(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    channels_last(scope, layer)
    keep = int(layer.keepdims)
    shape = (1, x.shape[1]) if keep else x.shape[1:]
    name = graph.batch_major(x).name
    if type(layer).__name__.startswith("GlobalMax"):
        unmasked(scope, layer, x)
        return Tensor(graph.value("ReduceMax", scope, name, axes=[1], keepdims=keep), shape)
    if x.mask is None:
        return Tensor(graph.value("ReduceMean", scope, name, axes=[1], keepdims=keep), shape)
    counts = graph.value("Cast", scope, x.mask, to=FLOAT)
    counts = graph.value("Unsqueeze", scope, counts, graph.constant("integers_2", np.array([2])))
    axis = graph.constant("integers_1", np.array([1]))
    total, number = (
        graph.value("ReduceSum", scope, values, axis, keepdims=keep)
        for values in (graph.value("Mul", scope, name, counts), counts)
    )
    return Tensor(graph.value("Div", scope, total, number), shape)


def _one(values: int | tuple[int, ...]) -> int:
    return values if isinstance(values, int) else values[0]


ROWS = {
    "AveragePooling1D": _pool,
    "GlobalAveragePooling1D": _global,
    "GlobalMaxPooling1D": _global,
    "MaxPooling1D": _pool,
}
