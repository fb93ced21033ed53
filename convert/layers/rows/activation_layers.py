"""Activations that are layers, and the activation of any layer, which is a function or such a layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convert.errors import Refused
from convert.graph import FLOAT, GraphBuilder, Keras, Tensor
from convert.layers import activations
from convert.layers.checks import feature_axes


def activated(graph: GraphBuilder, scope: str, activation: Keras, x: Tensor) -> Tensor:
    """Add an activation: a function or, as in Dense(8, activation=LeakyReLU(0.1)), a layer."""
    if hasattr(activation, "get_config"):
        kind = type(activation).__name__
        if kind not in ROWS:
            raise Refused.at(scope, f"a layer of class {kind} as an activation cannot be converted")
        return ROWS[kind](graph, f"{scope}/{activation.name}", activation, x)
    return activations.apply(graph, scope, x, activation)


def _activation(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    return activated(graph, scope, layer.activation, x)


def _relu(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    slope, threshold = (float(value or 0.0) for value in (layer.negative_slope, layer.threshold))
    ceiling = None if layer.max_value is None else float(layer.max_value)
    return replace(x, name=activations.Relu(slope, ceiling, threshold).apply(graph, scope, x.name))


def _leaky_relu(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    # The attribute is called alpha in Keras 2.
    slope = layer.negative_slope if hasattr(layer, "negative_slope") else layer.alpha
    return replace(x, name=activations.Relu(float(slope)).apply(graph, scope, x.name))


def _softmax(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    if x.mask is not None:
        raise Refused.at(scope, "Softmax of masked steps cannot be converted")
    axes = feature_axes(scope, layer, x)
    if axes == [len(x.shape)]:
        return replace(x, name=graph.value("Softmax", scope, x.name, axis=-1))
    x = graph.batch_major(x)
    if len(axes) == 1:
        return replace(x, name=graph.value("Softmax", scope, x.name, axis=axes[0]))
    highest = graph.value("ReduceMax", scope, x.name, axes=axes, keepdims=1)
    powers = graph.value("Exp", scope, graph.value("Sub", scope, x.name, highest))
    total = graph.value("ReduceSum", scope, powers, graph.constant(f"{scope}/axes", np.array(axes)), keepdims=1)
    return replace(x, name=graph.value("Div", scope, powers, total))


def _elu(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    return replace(x, name=graph.value("Elu", scope, x.name, alpha=float(layer.alpha)))


def _prelu(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    x = graph.batch_major(x)
    slope = graph.constant(f"{scope}/alpha", layer.alpha.numpy())
    return replace(x, name=graph.value("PRelu", scope, x.name, slope))


def _thresholded_relu(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    above = graph.value("Greater", scope, x.name, graph.constant(f"{scope}/theta", np.array(layer.theta, np.float32)))
    return replace(x, name=graph.value("Mul", scope, x.name, graph.value("Cast", scope, above, to=FLOAT)))


ROWS = {
    "Activation": _activation,
    "ELU": _elu,
    "LeakyReLU": _leaky_relu,
    "PReLU": _prelu,
    "ReLU": _relu,
    "Softmax": _softmax,
    "ThresholdedReLU": _thresholded_relu,
}
