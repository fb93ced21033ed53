"""Activations that are layers, and the activation of any layer, which is a function or such a layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convert.errors import Refused
from convert.graph import FLOAT, GraphBuilder, Keras, Tensor
from convert.layers import activations


def activated(graph: GraphBuilder, scope: str, activation: Keras, x: Tensor) -> Tensor:
    """Add an activation: a function or, as in Dense(8, activation=LeakyReLU(0.1)), a layer."""
    if hasattr(activation, "get_config"):
        kind = type(activation).__name__
        if kind not in ROWS:
            raise Refused.at(scope, f"a layer of class {kind} as an activation cannot be converted")
        return ROWS[kind](graph, f"{scope}/{activation.name}", activation, x)
    return replace(x, name=activations.apply(graph, scope, x.name, activation))


def _activation(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    return activated(graph, scope, layer.activation, x)


def _relu(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    if float(layer.threshold or 0.0) != 0.0:
        raise Refused.at(scope, f"ReLU with threshold={layer.threshold} cannot be converted")
    ceiling = None if layer.max_value is None else float(layer.max_value)
    return replace(x, name=activations.clipped_relu(graph, scope, x.name, float(layer.negative_slope or 0.0), ceiling))


def _leaky_relu(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    # The attribute is called alpha in Keras 2.
    slope = layer.negative_slope if hasattr(layer, "negative_slope") else layer.alpha
    return replace(x, name=activations.clipped_relu(graph, scope, x.name, float(slope), None))


def _softmax(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    if x.mask is not None:
        raise Refused.at(scope, "Softmax of masked steps cannot be converted")
    rank = len(x.shape)
    if not isinstance(layer.axis, int) or layer.axis == 0 or not -rank <= layer.axis <= rank:
        raise Refused.at(scope, f"Softmax over axis {layer.axis} cannot be converted")
    if layer.axis in (-1, rank):
        return replace(x, name=graph.value("Softmax", scope, x.name, axis=-1))
    x = graph.batch_major(x)
    return replace(x, name=graph.value("Softmax", scope, x.name, axis=layer.axis))


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
