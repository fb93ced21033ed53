"""Recurrent layers with activations that ONNX's recurrent nodes lack: the nodes of every step, one after the other.

The recurrences are those of Keras: gates i, f, c, o of LSTM, and z, r, h of GRU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras, Tensor
from convert.layers.rows.activation_layers import activated

# A step of LSTM is 15 nodes, about 20 µs. Longer windows would make graphs of thousands of nodes.
STEPS = 64

Floats32: TypeAlias = NDArray[np.float32]
# The states of a cell: h, and for LSTM h and c. None is a state of zeros, before the first step.
State: TypeAlias = tuple[str, ...]


def run(graph: GraphBuilder, scope: str, layers: Sequence[Keras], x: Tensor, count: str | None) -> tuple[str, str]:
    """Add the steps of `layers`, one layer for each direction. `count`: of steps in each window, int32 (batch,).

    Returns what ONNX's recurrent nodes return: the names of all outputs, (steps, directions, batch, units), and of the
    last, (directions, batch, units). Raises Refused for a window of more than STEPS steps.
    """
    if x.shape[0] > STEPS:
        raise Refused.at(
            scope,
            f"an activation of this layer needs nodes for each of its {x.shape[0]} steps, and at most {STEPS} are"
            " converted; the activations sigmoid, hard_sigmoid, tanh and relu are converted for any number of steps",
        )
    x = graph.batch_major(x)
    counts = None if count is None else graph.value("Unsqueeze", scope, count, _integers(graph, 1))
    directions = [_direction(_Cell(graph, scope, layer, i), x, counts) for i, layer in enumerate(layers)]
    sequences, last = zip(*directions, strict=True)
    if len(layers) == 1:
        return sequences[0], last[0]
    return graph.value("Concat", scope, *sequences, axis=1), graph.value("Concat", scope, *last, axis=0)


def _direction(cell: _Cell, x: Tensor, counts: str | None) -> tuple[str, str]:
    """The outputs of one layer, (steps, 1, batch, units), and the last of them, (1, batch, units)."""
    graph, scope, layer = cell.graph, cell.scope, cell.layer
    given = cell.given(x.name)
    state: State | None = None
    outputs: dict[int, str] = {}
    steps = range(x.shape[0])
    for step in reversed(steps) if layer.go_backwards else steps:
        at = graph.constant(f"number_{step}", np.array(step))
        new = cell.step(graph.value("Gather", scope, given, at, axis=1), state)
        if counts is not None:
            counted = graph.value("Greater", scope, counts, graph.constant(f"int32_{step}", np.array(step, np.int32)))
            zero = graph.constant("zero", np.array(0.0, np.float32))
            old = state or (zero,) * len(new)
            new = tuple(graph.value("Where", scope, counted, *pair) for pair in zip(new, old, strict=True))
        state, outputs[step] = new, new[0]
    beside = graph.value("Concat", scope, *(outputs[step] for step in steps), axis=1)
    shape = graph.constant(f"{scope}/steps", np.array([0, x.shape[0], layer.units]))
    turned = graph.value("Transpose", scope, graph.value("Reshape", scope, beside, shape), perm=[1, 0, 2])
    last = outputs[0 if layer.go_backwards else steps[-1]]
    axes = _integers(graph, 1), _integers(graph, 0)
    return graph.value("Unsqueeze", scope, turned, axes[0]), graph.value("Unsqueeze", scope, last, axes[1])


class _Cell:
    """The nodes of one step."""

    def __init__(self, graph: GraphBuilder, scope: str, layer: Keras, direction: int) -> None:
        self.graph, self.scope, self.layer = graph, scope, layer
        self._place = f"{scope}/{direction}"
        self._kind = type(layer).__name__
        self._resets_after = self._kind == "GRU" and layer.reset_after
        # A GRU with reset_after has a second bias, which belongs to the state.
        biases = np.atleast_2d(layer.cell.bias.numpy()) if layer.use_bias else ()
        self._bias, self._state_bias = [*biases, None, None][:2]

    def given(self, x: str) -> str:
        """What the inputs of all steps give to the gates: (batch, steps, gates * units)."""
        y = self._value("MatMul", x, self._weights("kernel", self.layer.cell.kernel.numpy()))
        return y if self._bias is None else self._value("Add", y, self._weights("bias", self._bias))

    def step(self, given: str, state: State | None) -> State:
        """The states after a step. `given`: (batch, gates * units)."""
        cells: dict[str, Callable[[str, State | None], State]] = {"LSTM": self._lstm, "GRU": self._gru}
        return cells.get(self._kind, self._simple)(given, state)

    def _simple(self, given: str, state: State | None) -> State:
        return (self._activation(self._with_state(given, state)),)

    def _lstm(self, given: str, state: State | None) -> State:
        i, f, c, o = self._split(self._with_state(given, state), 4)
        memory = self._value("Mul", self._gate(i), self._activation(c))
        if state is not None:
            memory = self._value("Add", memory, self._value("Mul", self._gate(f), state[1]))
        return self._value("Mul", self._gate(o), self._activation(memory)), memory

    def _gru(self, given: str, state: State | None) -> State:
        kernel = self.layer.cell.recurrent_kernel.numpy()
        units = self.layer.units
        z, r, h = self._split(given, 3)
        if self._resets_after:
            of_state = self._of_state(state)
            parts = self._split(of_state, 3) if of_state else None
            z, r = (self._gate(self._value("Add", x, parts[i]) if parts else x) for i, x in enumerate((z, r)))
            h = self._value("Add", h, self._value("Mul", r, parts[2])) if parts else h
        elif state is None:
            z = self._gate(z)
        else:
            gates = self._weights("gates", kernel[:, : 2 * units])
            of_z, of_r = self._split(self._value("MatMul", state[0], gates), 2)
            z, r = (self._gate(self._value("Add", x, y)) for x, y in ((z, of_z), (r, of_r)))
            kept = self._value("Mul", r, state[0])
            h = self._value("Add", h, self._value("MatMul", kept, self._weights("reset", kernel[:, 2 * units :])))
        one = self.graph.constant("float_1", np.array(1.0, np.float32))
        new = self._value("Mul", self._value("Sub", one, z), self._activation(h))
        return (new if state is None else self._value("Add", self._value("Mul", z, state[0]), new),)

    def _with_state(self, given: str, state: State | None) -> str:
        of_state = self._of_state(state)
        return self._value("Add", given, of_state) if of_state else given

    def _of_state(self, state: State | None) -> str | None:
        """What the state gives to the gates, or None if that is zero: (batch, gates * units), or without a batch."""
        bias = None if self._state_bias is None else self._weights("state_bias", self._state_bias[np.newaxis])
        if state is None:
            return bias
        kernel = self._weights("recurrent_kernel", self.layer.cell.recurrent_kernel.numpy())
        y = self._value("MatMul", state[0], kernel)
        return self._value("Add", y, bias) if bias else y

    def _activation(self, x: str) -> str:
        return self._activated(self.layer.activation, x)

    def _gate(self, x: str) -> str:
        return self._activated(self.layer.recurrent_activation, x)

    def _activated(self, function: Keras, x: str) -> str:
        return activated(self.graph, self.scope, function, Tensor(x, (self.layer.units,))).name

    def _split(self, x: str, parts: int) -> list[str]:
        return self.graph.node("Split", self.scope, [x], outputs=parts, axis=1)

    def _weights(self, name: str, values: Floats32) -> str:
        return self.graph.constant(f"{self._place}/{name}", values)

    def _value(self, op: str, *inputs: str) -> str:
        return self.graph.value(op, self.scope, *inputs)


def _integers(graph: GraphBuilder, value: int) -> str:
    return graph.constant(f"integers_{value}", np.array([value]))
