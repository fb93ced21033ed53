"""Layers that shift and scale values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras, Tensor
from convert.layers.checks import unmasked
from convert.layers.rows.reshaping import reshaped


def _batch_normalization(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, as a factor and a term, which are computed in float64."""
    (axis,) = layer.axis if isinstance(layer.axis, list | tuple) else (layer.axis,)
    axis = axis - 1 if axis > 0 else len(x.shape) + axis  # without the batch
    mean, variance = (w.numpy().astype(np.float64) for w in (layer.moving_mean, layer.moving_variance))
    factor = 1.0 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        factor = factor * layer.gamma.numpy()
    term = (layer.beta.numpy() if layer.center else 0.0) - mean * factor
    x = x if axis == len(x.shape) - 1 else graph.batch_major(x)
    along = [-1 if i == axis else 1 for i in range(len(x.shape))]
    y = x.name
    for op, name, values in (("Mul", "factor", factor), ("Add", "term", term)):
        y = graph.value(op, scope, y, graph.constant(f"{scope}/{name}", values.astype(np.float32).reshape(along)))
    return replace(x, name=y)


def _layer_normalization(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    axes = list(layer.axis) if isinstance(layer.axis, list | tuple) else [layer.axis]
    if axes not in ([-1], [len(x.shape)]):
        raise Refused.at(scope, f"LayerNormalization over axis {axes} cannot be converted, only over the last axis")
    if getattr(layer, "rms_scaling", False):
        raise Refused.at(scope, "LayerNormalization with rms_scaling=True cannot be converted")
    width = x.shape[-1]
    gamma = layer.gamma.numpy() if layer.scale else np.ones(width, np.float32)
    beta = layer.beta.numpy() if layer.center else np.zeros(width, np.float32)
    y = graph.value(
        "LayerNormalization",
        scope,
        x.name,
        graph.constant(f"{scope}/gamma", gamma),
        graph.constant(f"{scope}/beta", beta),
        axis=-1,
        epsilon=float(layer.epsilon),
    )
    return replace(x, name=y)


def _normalization(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    """(x - mean) / max(sqrt(variance), 1e-7), with the mean and variance of the training rows."""
    if layer.invert:
        raise Refused.at(scope, "Normalization with invert=True cannot be converted")
    x = graph.batch_major(x)
    mean, variance = (np.asarray(value, np.float32) for value in (layer.mean, layer.variance))
    deviation = np.maximum(np.sqrt(variance), np.float32(1e-7))
    y = graph.value("Sub", scope, x.name, graph.constant(f"{scope}/mean", mean))
    return replace(x, name=graph.value("Div", scope, y, graph.constant(f"{scope}/deviation", deviation)))


def _rescaling(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    x = graph.batch_major(x)
    scale, offset = (np.asarray(value, np.float32) for value in (layer.scale, layer.offset))
    y = graph.value("Mul", scope, x.name, graph.constant(f"{scope}/scale", scale))
    return replace(x, name=graph.value("Add", scope, y, graph.constant(f"{scope}/offset", offset)))


def _unit_normalization(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    """x / sqrt(max(sum of squares, 1e-12))."""
    axes = list(layer.axis) if isinstance(layer.axis, list | tuple) else [layer.axis]
    x = graph.batch_major(x)
    squares = graph.value("Mul", scope, x.name, x.name)
    total = graph.value("ReduceSum", scope, squares, graph.constant(f"{scope}/axes", np.array(axes)), keepdims=1)
    floor = graph.constant(f"{scope}/floor", np.array(1e-12, np.float32))
    length = graph.value("Sqrt", scope, graph.value("Max", scope, total, floor))
    return replace(x, name=graph.value("Div", scope, x.name, length))


def _rms_normalization(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    """x / sqrt(mean of squares + epsilon) * scale."""
    axes = list(layer.axis) if isinstance(layer.axis, list | tuple) else [layer.axis]
    if axes not in ([-1], [len(x.shape)]):
        raise Refused.at(scope, f"RMSNormalization over axis {axes} cannot be converted, only over the last axis")
    y = _over_root_mean_square(graph, scope, x.name, [-1], layer.epsilon)
    return replace(x, name=graph.value("Mul", scope, y, graph.constant(f"{scope}/scale", layer.scale.numpy())))


def _group_normalization(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    """Normalise each group of features over its features and all steps."""
    if layer.axis not in (-1, len(x.shape)):
        raise Refused.at(scope, f"GroupNormalization over axis {layer.axis} cannot be converted, only over the last")
    unmasked(scope, layer, x)
    x = graph.batch_major(x)
    width = x.shape[-1]
    groups = width if layer.groups == -1 else layer.groups
    y = reshaped(graph, f"{scope}/groups", x.name, (*x.shape[:-1], groups, width // groups))
    axes = [*range(1, len(x.shape)), len(x.shape) + 1]
    y = graph.value("Sub", scope, y, graph.value("ReduceMean", scope, y, axes=axes, keepdims=1))
    y = reshaped(graph, scope, _over_root_mean_square(graph, scope, y, axes, layer.epsilon), x.shape)
    if layer.scale:
        y = graph.value("Mul", scope, y, graph.constant(f"{scope}/gamma", layer.gamma.numpy()))
    if layer.center:
        y = graph.value("Add", scope, y, graph.constant(f"{scope}/beta", layer.beta.numpy()))
    return replace(x, name=y)


def _over_root_mean_square(graph: GraphBuilder, scope: str, x: str, axes: list[int], epsilon: float) -> str:
    mean = graph.value("ReduceMean", scope, graph.value("Mul", scope, x, x), axes=axes, keepdims=1)
    mean = graph.value("Add", scope, mean, graph.constant(f"{scope}/epsilon", np.array(epsilon, np.float32)))
    return graph.value("Div", scope, x, graph.value("Sqrt", scope, mean))


ROWS = {
    "BatchNormalization": _batch_normalization,
    "GroupNormalization": _group_normalization,
    "LayerNormalization": _layer_normalization,
    "Normalization": _normalization,
    "RMSNormalization": _rms_normalization,
    "Rescaling": _rescaling,
    "UnitNormalization": _unit_normalization,
}
