"""Build one ONNX graph from a Keras model of either framework: from a window to a probability."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import onnx

from convert.errors import Refused
from convert.graph import FLOAT, GraphBuilder, Keras, Tensor
from convert.layers import table
from convert.layers.distributed import at_every_step

INPUT, OUTPUT = "window", "probability"
# Adds nodes around a model.
Around: TypeAlias = Callable[[GraphBuilder, Tensor], Tensor]


class _Call(NamedTuple):
    """One call of a layer, with the ids of its symbolic input and output tensors."""

    layer: Keras
    inputs: list[int]
    outputs: list[int]
    masked: bool


def build(
    model: Keras, window: tuple[int, int], before: Around | None = None, after: Around | None = None
) -> onnx.ModelProto:
    """Build the graph of a model with one input and one output.

    The input is float32 (batch, steps, features), with `window` = (steps, features). `before` turns it into the model's
    input, and `after` the model's output into float32 (batch, n). Without `after` the output must be (batch, 1). The
    graph computes inference: dropout and noise have no effect, and a stateful layer starts without a state. Raises
    Refused for a layer, or an option of a layer, that cannot be converted.
    """
    graph = GraphBuilder()
    given = Tensor(INPUT, window)
    (result,) = _emit(graph, "", model, [before(graph, given) if before else given])
    if after is not None:
        result = after(graph, result)
    elif result.shape != (1,):
        raise Refused(f"the output has the shape (batch, {_listed(result.shape)}), but a probability has (batch, 1)")
    return graph.finish((INPUT, FLOAT, window), (OUTPUT, FLOAT, result.shape), result.name)


def functional(model: Keras) -> Keras:
    """The functional model. A Sequential of Keras 3 wraps one; a Sequential of Keras 2 is one."""
    return getattr(model, "_functional", None) or model


def _emit(graph: GraphBuilder, scope: str, model: Keras, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Add all calls of a model, including those of inner models."""
    model = functional(model)
    if not getattr(model, "_nodes_by_depth", None):
        raise Refused.at(
            scope or model.name, "the model was not built, so its file has no input shape; build it and save it again"
        )
    tensors = dict(zip((id(x) for x in model.inputs), inputs, strict=True))
    for call in _calls(model):
        name = f"{scope}{call.layer.name}"
        if not tensors.keys() >= set(call.inputs):
            kind = type(call.layer).__name__
            raise Refused.at(name, f"{kind} is called with a tensor that belongs to a mask, which cannot be converted")
        given = [tensors[i] for i in call.inputs]
        if call.masked and given[0].mask is None:
            raise Refused.at(name, f"{type(call.layer).__name__} is called with a mask that no layer produces")
        results = _emit_layer(graph, name, call.layer, given)
        if len(results) != len(call.outputs):
            raise Refused.at(
                name, f"{type(call.layer).__name__} returns {len(call.outputs)} tensors, but only one can be converted"
            )
        tensors.update(zip(call.outputs, results, strict=True))
    return [tensors[id(x)] for x in model.outputs]


def _emit_layer(graph: GraphBuilder, name: str, layer: Keras, given: Sequence[Tensor]) -> list[Tensor]:
    """Add one call of a layer or of an inner model."""
    kind = type(layer).__name__
    if kind in table.MODELS:
        return _emit(graph, f"{name}/", layer, given)
    if kind == "TimeDistributed":
        return [at_every_step(graph, name, layer, given[0], lambda x: _only(graph, f"{name}/", layer.layer, x))]
    return [table.emit(graph, name, layer, given)]


def _only(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    """Add a layer or a model inside another layer. Raises Refused if it has several outputs."""
    name = f"{scope}{layer.name}"
    results = _emit_layer(graph, name, layer, [x])
    if len(results) != 1:
        raise Refused.at(name, f"{type(layer).__name__} returns {len(results)} tensors, but only one can be converted")
    return results[0]


def _calls(model: Keras) -> Iterator[_Call]:
    """The calls of a functional model. Each comes after the calls that it depends on."""
    for depth in sorted(model._nodes_by_depth, reverse=True):  # noqa: SLF001 - the graph has no public form
        for node in model._nodes_by_depth[depth]:  # noqa: SLF001
            if not node.is_input:
                yield from _keras_3_call(node) if hasattr(node, "operation") else _keras_2_call(node)


def _keras_2_call(node: Keras) -> Iterator[_Call]:
    _check_arguments(node.layer, node.call_args, node.call_kwargs, len(node.keras_inputs))
    yield _Call(node.layer, _ids(node.keras_inputs), _ids(_flat(node.outputs)), masked=False)


def _keras_3_call(node: Keras) -> Iterator[_Call]:
    layer, kwargs = node.operation, dict(node.arguments.kwargs)
    if table.is_mask_operation(type(layer).__name__, type(layer).__module__):
        return
    masks = _ids(_flat(kwargs.pop("mask", [])))
    taken = [i for i in _ids(node.input_tensors) if i not in masks]
    _check_arguments(layer, node.arguments.args, kwargs, len(taken))
    yield _Call(layer, taken, _ids(node.outputs), masked=bool(masks))


def _check_arguments(layer: Keras, args: object, kwargs: dict[str, object], tensors: int) -> None:
    """Refuse a call with arguments other than tensors, such as training=True, which keeps a dropout active."""
    values = [("argument", x) for x in _flat(args)] + [
        (name, x) for name, given in kwargs.items() for x in _flat(given)
    ]
    passed = [(name, x) for name, x in values if x is not None and x is not False]
    if len(passed) > tensors:
        odd = [f"{name}={x!r}" for name, x in passed if not hasattr(x, "_keras_history")]
        raise Refused.at(
            layer.name, f"{type(layer).__name__} is called with {', '.join(odd)}, which cannot be converted"
        )


def _ids(tensors: Sequence[object]) -> list[int]:
    return [id(x) for x in tensors if x is not None]


def _flat(value: object) -> list[object]:
    if isinstance(value, dict):
        return [x for part in value.values() for x in _flat(part)]
    return [x for part in value for x in _flat(part)] if isinstance(value, list | tuple) else [value]


def _listed(shape: tuple[int, ...]) -> str:
    return ", ".join(str(n) for n in shape)
