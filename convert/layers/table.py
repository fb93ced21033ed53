"""The table of layers: one function for each Keras layer, of either framework, that adds its ONNX nodes.

Its arguments are the graph, the scope that names the nodes, the layer, and the input, the inputs of a merging layer, or
all that a call is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from convert.errors import Refused
from convert.graph import BOOL, FLOAT, GraphBuilder, Keras, Tensor
from convert.layers import recurrent
from convert.layers.calls import Given, Value
from convert.layers.operators import names
from convert.layers.rows import (
    activation_layers,
    attention,
    convolution,
    embedding,
    merging,
    normalization,
    pooling,
    reshaping,
)

OneInput: TypeAlias = Callable[[GraphBuilder, str, Keras, Tensor], Tensor]
ManyInputs: TypeAlias = Callable[[GraphBuilder, str, Keras, Sequence[Tensor]], Tensor]
AnyCall: TypeAlias = Callable[[GraphBuilder, str, Keras, Given], list[Value]]

_WINDOW_RANK = 2  # steps and features, without the batch


def emit(graph: GraphBuilder, scope: str, layer: Keras, given: Given) -> list[Value]:
    """Add one call of a layer or an operator. Raises Refused for one that is not in the table."""
    kind, module = type(layer).__name__, type(layer).__module__
    check_known(scope, kind, module)
    if is_operator(kind, module):
        return names.emit(graph, scope, layer, given)
    if layer.compute_dtype != "float32":
        raise Refused.at(scope, f"{kind} computes in {layer.compute_dtype}, but only float32 can be converted")
    if kind in _CALLS:
        return _CALLS[kind](graph, scope, layer, given)
    if kind in _MERGING:
        return [_MERGING[kind](graph, scope, layer, merging.inputs_of(graph, scope, layer, given))]
    inputs = given.tensors(scope, layer)
    if len(inputs) != 1:
        raise Refused.at(scope, f"{kind} is called with {len(inputs)} tensors, but only one can be converted")
    result = _LAYERS[kind](graph, scope, layer, inputs[0])
    return [result if layer.supports_masking else replace(result, mask=None)]


def check_known(place: str, kind: str, module: str | None) -> None:
    """Raise Refused unless a layer of this class and module is in the table."""
    if not is_mask_operation(kind, module) and not is_known(kind, module):
        of = f" of {module}" if module else ""
        raise Refused.at(
            place, f"a layer of class {kind}{of} cannot be converted; docs/convert.md lists those that can"
        )


def is_known(kind: str, module: str | None) -> bool:
    """Whether a layer of this class and module is in the table.

    Older files have no module; the framework then uses its own class of that name.
    """
    if is_operator(kind, module):
        return True
    own = module is None or (module.partition(".")[0] in {"keras", "tf_keras"} and ".ops." not in module)
    return own and kind in KNOWN


def is_mask_operation(kind: str, module: str | None) -> bool:
    """Whether this is one of the operations that Keras 3 adds to a model to pass masks between its layers."""
    return module is not None and module.startswith("keras.src.ops.") and kind in MASK_OPERATIONS


def is_operator(kind: str, module: str | None) -> bool:
    """Whether this is an operator that is converted, or the layer in which Keras 2 puts one."""
    return names.is_operation(kind, module) or names.is_wrapper(kind, module)


def takes_masks_off(layer: Keras) -> bool:
    """Whether a call of this layer removes the masks of its inputs, as Keras 3's MultiHeadAttention does."""
    return type(layer).__name__ == "MultiHeadAttention" and not type(layer).__module__.startswith("tf_keras")


def _dense(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    kernel = graph.constant(f"{scope}/kernel", layer.kernel.numpy())
    bias = [graph.constant(f"{scope}/bias", layer.bias.numpy())] if layer.use_bias else []
    if len(x.shape) >= _WINDOW_RANK:
        y = graph.value("MatMul", scope, x.name, kernel)
        y = graph.value("Add", scope, y, *bias) if bias else y
    else:
        y = graph.value("Gemm", scope, x.name, kernel, *bias)
    return activation_layers.activated(
        graph, scope, layer.activation, replace(x, name=y, shape=(*x.shape[:-1], layer.units))
    )


def _inert(_graph: GraphBuilder, _scope: str, _layer: Keras, x: Tensor) -> Tensor:
    """A layer that has an effect in training only."""
    return x


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


_LAYERS: dict[str, OneInput] = {
    "ActivityRegularization": _inert,
    "AlphaDropout": _inert,
    "Dense": _dense,
    "Dropout": _inert,
    "GaussianDropout": _inert,
    "GaussianNoise": _inert,
    "Identity": _inert,
    "Masking": _masking,
    "SpatialDropout1D": _inert,
    **activation_layers.ROWS,
    **convolution.ROWS,
    **normalization.ROWS,
    **pooling.ROWS,
    **reshaping.ROWS,
}
_MERGING: dict[str, ManyInputs] = {**merging.ROWS}
_CALLS: dict[str, AnyCall] = {**attention.ROWS, **embedding.ROWS, **recurrent.ROWS}
# These operations are skipped. Masks are derived from the layers, for both frameworks.
MASK_OPERATIONS = frozenset(
    {"Any", "Concatenate", "ExpandDims", "LogicalOr", "NotEqual", "OnesLike", "Squeeze", "ZerosLike"}
)
# convert.layers.network converts inner models, inputs, and what TimeDistributed runs at every step.
MODELS = frozenset({"Functional", "Model", "Sequential"})
KNOWN = MODELS | {"InputLayer", "TimeDistributed"} | _LAYERS.keys() | _MERGING.keys() | _CALLS.keys()
