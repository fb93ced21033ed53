"""Layers that shift and scale values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras, Tensor
from convert.layers.checks import feature_axes, of_keras_2
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
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta; with rms_scaling, x / sqrt(variance + epsilon) * gamma."""
    axes = feature_axes(scope, layer, x)
    scaled = getattr(layer, "rms_scaling", False)
    if axes != [len(x.shape)] or scaled:
        x = graph.batch_major(x)
        mean = graph.value("ReduceMean", scope, x.name, axes=axes, keepdims=1)
        centred = graph.value("Sub", scope, x.name, mean)
        root = _root_mean_square(graph, scope, centred, axes, layer.epsilon)
        y = graph.value("Div", scope, x.name if scaled else centred, root)
        weights = [layer.gamma if layer.scale or scaled else None, layer.beta if layer.center and not scaled else None]
        return replace(x, name=_Weights(graph, scope, axes, x).scaled(y, *weights))
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
    """(x - mean) / max(sqrt(variance), 1e-7), with the mean and variance of the training rows; inverted with invert."""
    x = graph.batch_major(x)
    mean, variance = (np.asarray(value, np.float32) for value in (layer.mean, layer.variance))
    centre = graph.constant(f"{scope}/mean", mean)
    deviation = graph.constant(f"{scope}/deviation", np.maximum(np.sqrt(variance), np.float32(1e-7)))
    if layer.invert:
        return replace(x, name=graph.value("Add", scope, graph.value("Mul", scope, x.name, deviation), centre))
    return replace(x, name=graph.value("Div", scope, graph.value("Sub", scope, x.name, centre), deviation))


def _rescaling(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    x = graph.batch_major(x)
    scale, offset = (np.asarray(value, np.float32) for value in (layer.scale, layer.offset))
    y = graph.value("Mul", scope, x.name, graph.constant(f"{scope}/scale", scale))
    return replace(x, name=graph.value("Add", scope, y, graph.constant(f"{scope}/offset", offset)))


def _unit_normalization(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    """x / length. Keras 2 divides by at least 1e-6, Keras 3 by at least 1e-12."""
    axes = feature_axes(scope, layer, x)
    x = graph.batch_major(x)
    squares = graph.value("Mul", scope, x.name, x.name)
    total = graph.value("ReduceSum", scope, squares, graph.constant(f"{scope}/axes", np.array(axes)), keepdims=1)
    if of_keras_2(layer):
        least = graph.constant(f"{scope}/least", np.array(1e-12, np.float32))
        length = graph.value("Sqrt", scope, graph.value("Max", scope, total, least))
    else:
        least = graph.constant(f"{scope}/least", np.array(1e-12, np.float32))
        length = graph.value("Max", scope, graph.value("Sqrt", scope, total), least)
    return replace(x, name=graph.value("Div", scope, x.name, length))


def _rms_normalization(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    """x / sqrt(mean of squares + epsilon) * scale. Keras aligns the scale with the last axes, whatever the axis is."""
    axes = feature_axes(scope, layer, x)
    scale = layer.scale.numpy()
    x = graph.batch_major(x)
    if axes[-1] - axes[0] != len(axes) - 1 or axes[-1] != len(x.shape):
        kind = f"RMSNormalization over axis {layer.axis}"
        raise Refused.at(scope, f"{kind} cannot be converted: Keras aligns its scale with the last axes")
    y = graph.value("Div", scope, x.name, _root_mean_square(graph, scope, x.name, axes, layer.epsilon))
    return replace(x, name=graph.value("Mul", scope, y, graph.constant(f"{scope}/scale", scale)))


def _group_normalization(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    """Normalise each group of features over its features and all other axes."""
    (axis,) = feature_axes(scope, layer, x)
    if x.mask is not None and of_keras_2(layer):
        raise Refused.at(scope, "GroupNormalization of masked steps cannot be converted")
    x = graph.batch_major(x)
    before, width, after = x.shape[: axis - 1], x.shape[axis - 1], x.shape[axis:]
    groups = width if layer.groups == -1 else layer.groups
    y = reshaped(graph, f"{scope}/groups", x.name, (*before, groups, width // groups, *after))
    axes = [i for i in range(1, len(x.shape) + 2) if i != axis]
    centred = graph.value("Sub", scope, y, graph.value("ReduceMean", scope, y, axes=axes, keepdims=1))
    y = graph.value("Div", scope, centred, _root_mean_square(graph, scope, centred, axes, layer.epsilon))
    y = reshaped(graph, scope, y, x.shape)
    weights = [layer.gamma if layer.scale else None, layer.beta if layer.center else None]
    return replace(x, name=_Weights(graph, scope, [axis], x).scaled(y, *weights))


def _root_mean_square(graph: GraphBuilder, scope: str, x: str, axes: list[int], epsilon: float) -> str:
    """sqrt(mean of squares + epsilon)."""
    mean = graph.value("ReduceMean", scope, graph.value("Mul", scope, x, x), axes=axes, keepdims=1)
    mean = graph.value("Add", scope, mean, graph.constant(f"{scope}/epsilon", np.array(epsilon, np.float32)))
    return graph.value("Sqrt", scope, mean)


class _Weights:
    """Weights that belong to some axes of `x`."""

    def __init__(self, graph: GraphBuilder, scope: str, axes: list[int], x: Tensor) -> None:
        self._graph, self._scope = graph, scope
        self._shape = [n if i in axes else 1 for i, n in enumerate(x.shape, start=1)]

    def scaled(self, y: str, gamma: Keras, beta: Keras) -> str:
        """y * gamma + beta. Either can be None."""
        for op, name, weight in (("Mul", "gamma", gamma), ("Add", "beta", beta)):
            if weight is not None:
                values = weight.numpy().reshape(self._shape)
                y = self._graph.value(op, self._scope, y, self._graph.constant(f"{self._scope}/{name}", values))
        return y


ROWS = {
    "BatchNormalization": _batch_normalization,
    "GroupNormalization": _group_normalization,
    "LayerNormalization": _layer_normalization,
    "Normalization": _normalization,
    "RMSNormalization": _rms_normalization,
    "Rescaling": _rescaling,
    "UnitNormalization": _unit_normalization,
}
