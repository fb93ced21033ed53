"""Layers that move values without computing."""

from __future__ import annotations

from math import prod

import numpy as np

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras, Tensor
from convert.layers.checks import channels_last, unmasked


def reshaped(graph: GraphBuilder, scope: str, x: str, shape: tuple[int, ...]) -> str:
    """Give `x` the shape (batch, *shape). The batch follows from the number of values."""
    return graph.value("Reshape", scope, x, graph.constant(f"{scope}/shape", np.array([-1, *shape])))


def _flatten(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    channels_last(scope, layer)
    name = graph.value("Flatten", scope, graph.batch_major(x).name, axis=1)
    return Tensor(name, (int(np.prod(x.shape)),))


def _reshape(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    unmasked(scope, layer, x)
    shape = tuple(int(n) for n in layer.target_shape)
    if -1 in shape:
        rest = prod(x.shape) // prod(n for n in shape if n != -1)
        shape = tuple(rest if n == -1 else n for n in shape)
    return Tensor(reshaped(graph, scope, graph.batch_major(x).name, shape), shape)


def _permute(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    unmasked(scope, layer, x)
    name = graph.value("Transpose", scope, graph.batch_major(x).name, perm=[0, *layer.dims])
    return Tensor(name, tuple(x.shape[i - 1] for i in layer.dims))


def _repeat_vector(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    name = graph.value("Unsqueeze", scope, x.name, graph.constant("integers_1", np.array([1])))
    name = graph.value("Tile", scope, name, graph.constant(f"{scope}/repeats", np.array([1, layer.n, 1])))
    return Tensor(name, (layer.n, *x.shape))


def _chosen(graph: GraphBuilder, scope: str, x: Tensor, steps: list[int]) -> Tensor:
    """Return the given steps of `x`."""
    order = graph.constant(f"{scope}/steps", np.array(steps, np.int64))
    return Tensor(graph.value("Gather", scope, graph.batch_major(x).name, order, axis=1), (len(steps), *x.shape[1:]))


def _cropping(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    unmasked(scope, layer, x)
    before, after = layer.cropping
    return _chosen(graph, scope, x, list(range(before, x.shape[0] - after)))


def _up_sampling(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    unmasked(scope, layer, x)
    return _chosen(graph, scope, x, [step for step in range(x.shape[0]) for _ in range(layer.size)])


def _zero_padding(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    unmasked(scope, layer, x)
    if getattr(layer, "data_format", None) not in (None, "channels_last"):
        raise Refused.at(scope, f"ZeroPadding1D with data_format={layer.data_format!r} cannot be converted")
    before, after = layer.padding
    pads = graph.constant(f"{scope}/pads", np.array([0, before, 0, 0, after, 0]))
    name = graph.value("Pad", scope, graph.batch_major(x).name, pads)
    return Tensor(name, (before + x.shape[0] + after, x.shape[1]))


ROWS = {
    "Cropping1D": _cropping,
    "Flatten": _flatten,
    "Permute": _permute,
    "RepeatVector": _repeat_vector,
    "Reshape": _reshape,
    "UpSampling1D": _up_sampling,
    "ZeroPadding1D": _zero_padding,
}
