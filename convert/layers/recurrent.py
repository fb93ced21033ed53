"""LSTM, GRU, SimpleRNN and Bidirectional as ONNX's fused nodes, or step by step where such a node lacks a function.

The order of gates in Keras is i, f, c, o for LSTM and z, r, h for GRU; in ONNX it is i, o, f, c and z, r, h. Kernels in
Keras are (inputs, gates * units), in ONNX (directions, gates * units, inputs). Both compute the recurrences of the ONNX
operator specification. The attribute `linear_before_reset` is GRU's `reset_after`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras, Tensor
from convert.layers import activations, unrolled
from convert.layers.calls import Given, Value
from convert.layers.checks import of_keras_2
from convert.layers.masking import MaskedSteps

Floats32: TypeAlias = NDArray[np.float32]


class _Kind(NamedTuple):
    gates: tuple[int, ...]  # Keras' gates in ONNX's order
    activations: int  # how often ONNX lists the layer's `activation`, after the activation of the gates
    operator: str


_KINDS = {
    "LSTM": _Kind((0, 3, 1, 2), 2, "LSTM"),
    "GRU": _Kind((0, 1, 2), 1, "GRU"),
    "SimpleRNN": _Kind((0,), 1, "RNN"),
}


def _recurrent(graph: GraphBuilder, scope: str, layer: Keras, given: Given) -> list[Value]:
    """Convert an LSTM, GRU or SimpleRNN. Returns its output and, with return_state, its last states."""
    _check(scope, layer)
    x, *initial = given.tensors(scope, layer)
    steps = _masked_steps(graph, scope, layer, x, given)
    _check_unrolled(scope, layer, steps, zero=layer.zero_output_for_mask)
    run = _run(graph, scope, [layer], x, steps, initial)
    states = _states(graph, scope, [layer], run, steps, initial)
    if not layer.return_sequences:
        y = Tensor(graph.value("Squeeze", scope, run.last, _integers(graph, 0)), (layer.units,))
        return [_final(layer, y, x, steps), *states]
    name = graph.value("Squeeze", scope, run.sequences, _integers(graph, 1))
    y = Tensor(name, (x.shape[0], layer.units), time_major=True, mask=x.mask)
    if steps is not None:
        y = steps.spread(y, backwards=layer.go_backwards, zero=layer.zero_output_for_mask)
    if layer.go_backwards:
        # Keras returns the outputs in running order, but does not reverse the mask.
        order = graph.constant(f"{scope}/backwards", np.arange(x.shape[0])[::-1])
        y = replace(y, name=graph.value("Gather", scope, y.name, order, axis=0 if y.time_major else 1))
    return [y, *states]


def _bidirectional(graph: GraphBuilder, scope: str, layer: Keras, given: Given) -> list[Value]:
    """Convert both directions to one node, with the merge modes concat, sum, mul and ave."""
    forward, backward = layer.forward_layer, layer.backward_layer
    for inner in (forward, backward):
        if type(inner).__name__ not in _KINDS:
            raise Refused.at(
                scope, f"Bidirectional of {type(inner).__name__} cannot be converted, only of LSTM, GRU and SimpleRNN"
            )
        _check(scope, inner)
    kinds = [(type(inner).__name__, inner.units, getattr(inner, "reset_after", None)) for inner in (forward, backward)]
    if kinds[0] != kinds[1] or forward.go_backwards:
        raise Refused.at(
            scope,
            f"Bidirectional of {kinds[0]} and {kinds[1]} cannot be converted;"
            " both layers must be the same, the forward one first",
        )
    x, *initial = given.tensors(scope, layer)
    steps = _masked_steps(graph, scope, layer, x, given)
    _check_unrolled(scope, backward, steps, zero=forward.return_sequences)
    run = _run(graph, scope, [forward, backward], x, steps, initial)
    states = _states(graph, scope, [forward, backward], run, steps, initial)
    if not forward.return_sequences:
        y = _final(forward, Tensor(run.last, (forward.units,)), x, steps)
        return [_merged(graph, scope, layer.merge_mode, y), *states]
    y = Tensor(run.sequences, (x.shape[0], forward.units), time_major=True, mask=x.mask)
    y = _merged(graph, scope, layer.merge_mode, y)
    # Keras sets zero_output_for_mask here, so that a masked step is the same for both directions.
    return [y if steps is None else steps.spread(y, backwards=False, zero=True), *states]


def _check(scope: str, layer: Keras) -> None:
    if getattr(layer, "time_major", False):
        raise Refused.at(scope, "time_major=True cannot be converted")


def _check_unrolled(scope: str, layer: Keras, steps: MaskedSteps | None, *, zero: bool) -> None:
    """Keras 2 reverses the steps of an unrolled backward layer, but not the mask with which it then makes them zero."""
    if steps is not None and zero and layer.unroll and layer.go_backwards and of_keras_2(layer):
        raise Refused.at(scope, "unroll=True of a backward layer with masked steps as zero cannot be converted")


def _masked_steps(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor, given: Given) -> MaskedSteps | None:
    # Keras 3 passes no mask to a layer that is called with initial states, so it runs over all steps.
    ignored = not type(layer).__module__.startswith("tf_keras") and len(given.values) > 1 and not given.explicit_mask
    return None if x.mask is None or ignored else MaskedSteps(graph, scope, x.mask, x.shape[0])


def _integers(graph: GraphBuilder, value: int) -> str:
    return graph.constant(f"integers_{value}", np.array([value]))


def _final(layer: Keras, y: Tensor, x: Tensor, steps: MaskedSteps | None) -> Tensor:
    """The state after the last step that counts; with zero_output_for_mask, the output of the last step run."""
    if steps is None or not layer.zero_output_for_mask:
        return y
    return steps.zero_unless_counted(y, 0 if layer.go_backwards else x.shape[0] - 1)


class _Run(NamedTuple):
    """The results of a fused node.

    sequences: all outputs, (steps, directions, batch, units). last: the last outputs, (directions, batch, units).
    cell: the last cell state of an LSTM, of the same shape, if it is wanted.
    """

    sequences: str
    last: str
    cell: str | None


def _run(  # noqa: PLR0913, PLR0917 - a fused node's inputs
    graph: GraphBuilder,
    scope: str,
    layers: Sequence[Keras],
    x: Tensor,
    steps: MaskedSteps | None,
    initial: Sequence[Tensor],
) -> _Run:
    """Add the fused node of `layers`, one layer for each direction; or the nodes of every step, if none has a function.

    A fused node has not all activations.
    """
    kind = type(layers[0]).__name__
    found = [activations.fused(function) for layer in layers for function in _functions(kind, layer)]
    functions = [function for function in found if function is not None]
    if len(functions) < len(found):
        if initial or layers[0].return_state:
            raise Refused.at(scope, "states that are given or returned cannot be converted for this activation")
        if steps is None:
            return _Run(*unrolled.run(graph, scope, layers, x, None), None)
        return _Run(*unrolled.run(graph, scope, layers, steps.packed(x), steps.count), None)
    directions = [_weights(kind, layer.cell) for layer in layers]
    weights = [graph.constant(f"{scope}/{name}", np.stack(w)) for name, *w in zip("WRB", *directions, strict=True)]
    lengths = []
    if steps is not None:
        x, lengths = steps.packed(x), [steps.count]
    attributes: dict[str, Any] = {
        "hidden_size": layers[0].units,
        "direction": "bidirectional" if len(layers) > 1 else "reverse" if layers[0].go_backwards else "forward",
        "activations": [function.name for function in functions],
    }
    for name, values in (("alpha", [f.alpha for f in functions]), ("beta", [f.beta for f in functions])):
        # ONNX does not allow an empty list, so the attribute is left out.
        if given := [value for value in values if value is not None]:
            attributes[f"activation_{name}"] = given
    if kind == "GRU":
        attributes["linear_before_reset"] = int(layers[0].reset_after)
    inputs = [graph.time_major(x).name, *weights, *lengths]
    if initial:
        inputs += ([] if lengths else [""]) + _starts(graph, scope, layers, initial)
    outputs = 3 if kind == "LSTM" and layers[0].return_state else 2
    sequences, last, *cell = graph.node(_KINDS[kind].operator, scope, inputs, outputs=outputs, **attributes)
    return _Run(sequences, last, cell[0] if cell else None)


def _starts(graph: GraphBuilder, scope: str, layers: Sequence[Keras], initial: Sequence[Tensor]) -> list[str]:
    """The initial states of all directions, (directions, batch, units): of the output and, in an LSTM, of the cell.

    Keras lists all states of the forward direction first.
    """
    count = 2 if type(layers[0]).__name__ == "LSTM" else 1
    if len(initial) != count * len(layers) or any(x.shape != (layers[0].units,) for x in initial):
        shapes = [x.shape for x in initial]
        raise Refused.at(scope, f"initial states of the shapes {shapes} cannot be converted")
    starts = []
    for i in range(count):
        parts = [graph.value("Unsqueeze", scope, x.name, _integers(graph, 0)) for x in initial[i::count]]
        starts.append(parts[0] if len(parts) == 1 else graph.value("Concat", scope, *parts, axis=0))
    return starts


def _states(  # noqa: PLR0913, PLR0917 - the inputs and the results of a fused node
    graph: GraphBuilder,
    scope: str,
    layers: Sequence[Keras],
    run: _Run,
    steps: MaskedSteps | None,
    initial: Sequence[Tensor],
) -> list[Value]:
    """The last states in Keras' order, if the layer returns them: of the forward direction, then of the backward one.

    A window without a step that counts keeps its initial state.
    """
    if not layers[0].return_state:
        return []
    kinds = [run.last] if run.cell is None else [run.last, run.cell]
    states = []
    for direction in range(len(layers)):
        for i, values in enumerate(kinds):
            index = graph.constant(f"number_{direction}", np.array(direction))
            name = graph.value("Gather", scope, values, index, axis=0)
            if steps is not None and initial:
                name = steps.kept_unless_any(name, initial[direction * len(kinds) + i].name)
            states.append(Tensor(name, (layers[0].units,)))
    return [*states]


def _weights(kind: str, cell: Keras) -> tuple[Floats32, Floats32, Floats32]:
    """ONNX's W, R and B of one direction: (gates * units, inputs), (gates * units, units), (2 * gates * units,)."""
    gates, units = _KINDS[kind].gates, cell.units

    def reordered(weights: Floats32) -> Floats32:
        return np.concatenate([weights[..., gate * units : (gate + 1) * units] for gate in gates], axis=-1)

    biases = np.zeros((2, len(gates) * units), np.float32)
    if cell.use_bias:
        # The bias belongs to the input. A GRU with reset_after has another one for the state.
        bias = np.atleast_2d(reordered(cell.bias.numpy()))
        biases[: len(bias)] = bias
    return reordered(cell.kernel.numpy()).T, reordered(cell.recurrent_kernel.numpy()).T, biases.reshape(-1)


def _functions(kind: str, layer: Keras) -> list[Keras]:
    gates = [] if kind == "SimpleRNN" else [layer.recurrent_activation]
    return [*gates, *[layer.activation] * _KINDS[kind].activations]


def _merged(graph: GraphBuilder, scope: str, mode: str, y: Tensor) -> Tensor:
    """Merge the axis of directions, the 2 in (steps, 2, batch, units) or, for last outputs, in (2, batch, units)."""
    axis = len(y.shape) - 1
    if mode == "concat":
        beside = graph.value("Transpose", scope, y.name, perm=[*range(axis), axis + 1, axis, axis + 2])
        shape = graph.constant(f"{scope}/shape", np.array([0] * (axis + 1) + [-1]))
        return replace(y, name=graph.value("Reshape", scope, beside, shape), shape=(*y.shape[:-1], 2 * y.shape[-1]))
    if mode == "sum":
        axes = graph.constant(f"integers_{axis}", np.array([axis]))
        return replace(y, name=graph.value("ReduceSum", scope, y.name, axes, keepdims=0))
    if mode in {"ave", "mul"}:
        op = {"ave": "ReduceMean", "mul": "ReduceProd"}[mode]
        return replace(y, name=graph.value(op, scope, y.name, axes=[axis], keepdims=0))
    raise Refused.at(scope, f"Bidirectional with merge_mode={mode!r} cannot be converted")


ROWS = {"Bidirectional": _bidirectional, "GRU": _recurrent, "LSTM": _recurrent, "SimpleRNN": _recurrent}
