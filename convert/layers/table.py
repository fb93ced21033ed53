"""The table of layers: one function for each Keras layer, of either framework, that adds its ONNX nodes.

Its arguments are the graph, the scope that names the nodes, the layer, and the input, or inputs of a merging layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from convert.errors import Refused
from convert.graph import BOOL, FLOAT, GraphBuilder, Keras, Tensor
from convert.layers import activations, recurrent

OneInput: TypeAlias = Callable[[GraphBuilder, str, Keras, Tensor], Tensor]
ManyInputs: TypeAlias = Callable[[GraphBuilder, str, Keras, Sequence[Tensor]], Tensor]

_WINDOW_RANK = 2  # steps and features, without the batch


def emit(graph: GraphBuilder, scope: str, layer: Keras, inputs: Sequence[Tensor]) -> Tensor:
    """Add one call of a layer. Raises Refused for a layer that is not in the table."""
    kind = type(layer).__name__
    check_known(scope, kind, type(layer).__module__)
    if layer.compute_dtype != "float32":
        raise Refused.at(scope, f"{kind} computes in {layer.compute_dtype}, but only float32 can be converted")
    if kind in _MERGING:
        return _MERGING[kind](graph, scope, layer, inputs)
    if len(inputs) != 1:
        raise Refused.at(
            scope, f"{kind} is called with {len(inputs)} tensors (an initial state?), but only one can be converted"
        )
    result = _LAYERS[kind](graph, scope, layer, inputs[0])
    return result if layer.supports_masking else replace(result, mask=None)


def check_known(place: str, kind: str, module: str | None) -> None:
    """Raise Refused unless a layer of this class and module is in the table.

    Older files have no module; the framework then uses its own class of that name.
    """
    if is_mask_operation(kind, module):
        return
    own = module is None or (module.partition(".")[0] in {"keras", "tf_keras"} and ".ops." not in module)
    if not own or kind not in KNOWN:
        of = f" of {module}" if module else ""
        raise Refused.at(place, f"a layer of class {kind}{of} cannot be converted; known: {', '.join(sorted(KNOWN))}")


def is_mask_operation(kind: str, module: str | None) -> bool:
    """Whether this is one of the operations that Keras 3 adds to a model to pass masks between its layers."""
    return module is not None and module.startswith("keras.src.ops.") and kind in _MASK_OPERATIONS


def _activated(graph: GraphBuilder, scope: str, activation: Keras, x: Tensor) -> Tensor:
    """Add an activation: a function or, as in Dense(8, activation=LeakyReLU(0.1)), a layer."""
    if hasattr(activation, "get_config"):
        return emit(graph, f"{scope}/{activation.name}", activation, [x])
    return replace(x, name=activations.apply(graph, scope, x.name, activation))


def _dense(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    kernel = graph.constant(f"{scope}/kernel", layer.kernel.numpy())
    bias = [graph.constant(f"{scope}/bias", layer.bias.numpy())] if layer.use_bias else []
    if len(x.shape) == _WINDOW_RANK:
        y = graph.value("MatMul", scope, x.name, kernel)
        y = graph.value("Add", scope, y, *bias) if bias else y
    else:
        y = graph.value("Gemm", scope, x.name, kernel, *bias)
    return _activated(graph, scope, layer.activation, replace(x, name=y, shape=(*x.shape[:-1], layer.units)))


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


def _inert(_graph: GraphBuilder, _scope: str, _layer: Keras, x: Tensor) -> Tensor:
    """A layer that has an effect in training only."""
    return x


def _activation(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    return _activated(graph, scope, layer.activation, x)


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
    if layer.axis not in (-1, len(x.shape)):
        raise Refused.at(scope, f"Softmax over axis {layer.axis} cannot be converted, only over the last axis")
    if x.mask is not None:
        raise Refused.at(scope, "Softmax of masked steps cannot be converted")
    return replace(x, name=graph.value("Softmax", scope, x.name, axis=-1))


def _masking(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    """A step counts unless all its features equal mask_value. Steps that do not count become zero."""
    if len(x.shape) != _WINDOW_RANK:
        raise Refused.at(scope, f"Masking of shape {x.shape} cannot be converted, only of (steps, features)")
    x = graph.batch_major(x)
    same = graph.value(
        "Equal", scope, x.name, graph.constant(f"{scope}/mask_value", np.array(layer.mask_value, np.float32))
    )
    differing = graph.value("Cast", scope, graph.value("Not", scope, same), to=FLOAT)
    any_differs = graph.value("ReduceMax", scope, differing, axes=[-1], keepdims=0)
    mask = graph.value("Cast", scope, any_differs, to=BOOL)
    kept = graph.value("Unsqueeze", scope, mask, graph.constant("integers_2", np.array([2])))
    y = graph.value("Where", scope, kept, x.name, graph.constant("zero", np.array(0.0, np.float32)))
    return replace(x, name=y, mask=mask)


def _flatten(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    if layer.data_format != "channels_last":
        raise Refused.at(scope, f"Flatten with data_format={layer.data_format!r} cannot be converted")
    name = graph.value("Flatten", scope, graph.batch_major(x).name, axis=1)
    return Tensor(name, (int(np.prod(x.shape)),))


def _concatenate(graph: GraphBuilder, scope: str, layer: Keras, inputs: Sequence[Tensor]) -> Tensor:
    rank = len(inputs[0].shape)
    if layer.axis not in (-1, rank):
        raise Refused.at(scope, f"Concatenate along axis {layer.axis} cannot be converted, only along the last axis")
    aligned = [graph.batch_major(x) for x in inputs]
    width = sum(x.shape[-1] for x in aligned)
    name = graph.value("Concat", scope, *(x.name for x in aligned), axis=-1)
    mask = _merged_mask(graph, scope, layer, [x.mask for x in inputs])
    return Tensor(name, (*aligned[0].shape[:-1], width), mask=mask)


def _add(graph: GraphBuilder, scope: str, layer: Keras, inputs: Sequence[Tensor]) -> Tensor:
    if len({x.shape for x in inputs}) > 1:
        raise Refused.at(scope, f"Add of shapes {[x.shape for x in inputs]} cannot be converted, only of equal shapes")
    first, *others = [graph.batch_major(x) for x in inputs]
    name = first.name
    for x in others:
        name = graph.value("Add", scope, name, x.name)
    mask = _merged_mask(graph, scope, layer, [x.mask for x in inputs])
    return replace(first, name=name, mask=mask)


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


_LAYERS: dict[str, OneInput] = {
    "Activation": _activation,
    "ActivityRegularization": _inert,
    "AlphaDropout": _inert,
    "BatchNormalization": _batch_normalization,
    "Bidirectional": recurrent.bidirectional,
    "Dense": _dense,
    "Dropout": _inert,
    "Flatten": _flatten,
    "GRU": recurrent.recurrent,
    "GaussianDropout": _inert,
    "GaussianNoise": _inert,
    "LSTM": recurrent.recurrent,
    "LayerNormalization": _layer_normalization,
    "LeakyReLU": _leaky_relu,
    "Masking": _masking,
    "ReLU": _relu,
    "Softmax": _softmax,
    "SpatialDropout1D": _inert,
}
_MERGING: dict[str, ManyInputs] = {"Add": _add, "Concatenate": _concatenate}
# These operations are skipped. Masks are derived from the layers, for both frameworks.
_MASK_OPERATIONS = frozenset(
    {"Any", "Concatenate", "ExpandDims", "LogicalOr", "NotEqual", "OnesLike", "Squeeze", "ZerosLike"}
)
# convert.layers.network converts inner models and inputs.
MODELS = frozenset({"Functional", "Model", "Sequential"})
KNOWN = MODELS | {"InputLayer"} | _LAYERS.keys() | _MERGING.keys()
