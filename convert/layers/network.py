"""Build one ONNX graph from a Keras model of either framework: from a window to a probability."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import onnx

from convert.errors import Refused
from convert.graph import FLOAT, GraphBuilder, Keras, Tensor
from convert.layers import table
from convert.layers.calls import Given, Value, flat
from convert.layers.distributed import at_every_step

INPUT, OUTPUT = "window", "probability"
# Adds nodes around a model.
Around: TypeAlias = Callable[[GraphBuilder, Tensor], Tensor]

_MASKS = ("mask", "query_mask", "value_mask", "key_mask")


class _Call(NamedTuple):
    """One call of a layer or an operator.

    args, kwargs: its arguments, with symbolic tensors, without masks. outputs: the ids of its symbolic outputs.
    explicit_mask: whether Keras 3 passes it the mask that the symbolic input has.
    """

    layer: Keras
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: list[int]
    explicit_mask: bool


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
    values: dict[int, Value] = dict(zip((id(x) for x in model.inputs), inputs, strict=True))
    # Keras 3's MultiHeadAttention takes the masks off its inputs: while the model runs, later layers do not find them.
    stripped: set[int] = set()
    for call in _calls(model):
        layer = call.layer
        name, kind, module = f"{scope}{layer.name}", type(layer).__name__, type(layer).__module__
        taken = {id(x) for x in flat([call.args, call.kwargs]) if _is_symbolic(x)}
        known = values.keys() >= taken
        if table.is_mask_operation(kind, module) and not (known and table.is_operator(kind, module)):
            continue
        if not known:
            raise Refused.at(name, f"{kind} is called with a tensor that belongs to a mask, which cannot be converted")
        given = _given(call, values, set() if call.explicit_mask else stripped)
        if call.explicit_mask and not any(isinstance(x, Tensor) and x.mask for x in given.values):
            raise Refused.at(name, f"{kind} is called with a mask that no layer produces")
        results = _results(graph, name, layer, given)
        if len(results) != len(call.outputs):
            raise Refused.at(name, f"{kind} returns {len(call.outputs)} tensors, but {len(results)} can be converted")
        built = results
        if stripped & taken:  # the masks with which Keras built the model, which it passes on to later layers itself
            built = results if call.explicit_mask else _results(graph, name, layer, _given(call, values, set()))
            stripped |= {
                output
                for output, ran, was in zip(call.outputs, results, built, strict=True)
                if call.explicit_mask or _mask(ran) != _mask(was)
            }
        for output, ran, was in zip(call.outputs, results, built, strict=True):
            values[output] = replace(ran, mask=_mask(was)) if isinstance(ran, Tensor) else ran
        if table.takes_masks_off(layer):
            stripped |= taken
    return [_result(scope or model.name, values.get(id(x))) for x in model.outputs]


def _results(graph: GraphBuilder, name: str, layer: Keras, given: Given) -> list[Value]:
    """Add one call of a layer, an operator or an inner model."""
    kind = type(layer).__name__
    if kind in table.MODELS:
        return [*_emit(graph, f"{name}/", layer, given.tensors(name, layer))]
    if kind == "TimeDistributed":
        x, *others = given.tensors(name, layer)
        if others:
            raise Refused.at(name, f"{kind} is called with {1 + len(others)} tensors, but only one can be converted")
        return [at_every_step(graph, name, layer, x, lambda each: _only(graph, f"{name}/", layer.layer, each))]
    return table.emit(graph, name, layer, given)


def _only(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    """Add a layer or a model inside another layer. Raises Refused if it has several outputs."""
    name = f"{scope}{layer.name}"
    results = _results(graph, name, layer, Given((x,), {}))
    if len(results) != 1:
        raise Refused.at(name, f"{type(layer).__name__} returns {len(results)} tensors, but only one can be converted")
    return _result(name, results[0])


def _mask(value: Value) -> str | None:
    return value.mask if isinstance(value, Tensor) else None


def _given(call: _Call, values: dict[int, Value], without_mask: set[int]) -> Given:
    def value(x: object) -> object:
        if not _is_symbolic(x):
            return _constant(x)
        found = values[id(x)]
        return replace(found, mask=None) if id(x) in without_mask and isinstance(found, Tensor) else found

    args, kwargs = _mapped(value, call.args), _mapped(value, call.kwargs)
    return Given(tuple(args), kwargs, explicit_mask=call.explicit_mask)


def _result(scope: str, value: Value | None) -> Tensor:
    if not isinstance(value, Tensor):
        raise Refused.at(scope, "an output that does not depend on the window cannot be converted")
    return value


def _calls(model: Keras) -> Iterator[_Call]:
    """The calls of a functional model. Each comes after the calls that it depends on."""
    for depth in sorted(model._nodes_by_depth, reverse=True):  # noqa: SLF001 - the graph has no public form
        for node in model._nodes_by_depth[depth]:  # noqa: SLF001
            if not node.is_input:
                yield _keras_3_call(node) if hasattr(node, "operation") else _keras_2_call(node)


def _keras_2_call(node: Keras) -> _Call:
    return _Call(node.layer, node.call_args, node.call_kwargs, _ids(node.outputs), explicit_mask=False)


def _keras_3_call(node: Keras) -> _Call:
    kwargs = dict(node.arguments.kwargs)
    # Masks are derived from the layers, for both frameworks. Some releases pass one for each tensor.
    masks = [i for name in _MASKS for i in _ids(kwargs.pop(name, None))]
    return _Call(node.operation, node.arguments.args, kwargs, _ids(node.outputs), explicit_mask=bool(masks))


def _is_symbolic(value: object) -> bool:
    """Whether this is a tensor of either framework's functional model."""
    return hasattr(value, "_keras_history")


def _constant(value: object) -> object:
    """Constant tensors as arrays, everything else as it is."""
    return np.asarray(value) if hasattr(value, "__array__") else value


def _mapped(change: Callable[[object], object], value: Any) -> Any:  # noqa: ANN401 - any nested argument
    """Change the leaves of nested lists, tuples and dicts."""
    if isinstance(value, dict):
        return {key: _mapped(change, x) for key, x in value.items()}
    return [_mapped(change, x) for x in value] if isinstance(value, list | tuple) else change(value)


def _ids(tensors: object) -> list[int]:
    return [id(x) for x in flat(tensors) if x is not None]


def _listed(shape: tuple[int, ...]) -> str:
    return ", ".join(str(n) for n in shape)
