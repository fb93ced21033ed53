"""Masked steps around a fused recurrent node, without a loop.

In Keras a masked step keeps the state and repeats the last output. In ONNX a sequence can end early, but cannot have
holes. So the steps that count are moved to the front, the node runs over their number, and each output is moved back to
its step.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import TensorProto

from convert.graph import GraphBuilder, Tensor


class MaskedSteps:
    """The steps of a tensor that has a mask.

    count: the name of the number of steps that count in each window, int32 (batch,), an input of LSTM and GRU. It can
    be 0.
    """

    def __init__(self, graph: GraphBuilder, scope: str, mask: str, length: int) -> None:
        self._graph, self._scope, self._mask, self._length = graph, scope, mask, length
        self._counts = self._value("Cast", mask, to=TensorProto.INT64)
        self._total = self._value("ReduceSum", self._counts, self._integers(1), keepdims=1)
        # The number of steps that count, up to and including each step: (batch, steps).
        self._rank = self._value("CumSum", self._counts, graph.constant("number_1", np.array(1)))
        total = self._value("Squeeze", self._total, self._integers(1))
        self.count = self._value("Cast", total, to=TensorProto.INT32)

    def packed(self, x: Tensor) -> Tensor:
        """Move the steps of `x` that count to the front. The others follow, and are not used."""
        # All keys differ, so the order is unique: the steps that count come first, each group in its order of time.
        first = self._value("Mul", self._counts, self._integers(self._length))
        keys = self._value("Add", first, self._integers(*range(self._length, 0, -1)))
        _, order = self._graph.node("TopK", self._scope, [keys, self._integers(self._length)], outputs=2)
        return replace(x, name=self._gathered(self._graph.batch_major(x).name, order), time_major=False)

    def spread(self, y: Tensor, *, backwards: bool, zero: bool) -> Tensor:
        """Move the node's outputs back to their steps. A masked step repeats the output before it.

        "Before" means in running order. If there is no output before it, the output is zero. With `zero` (Keras'
        zero_output_for_mask) the output of a masked step is always zero.
        """
        if backwards:  # in running order, later steps come first
            index = self._value("Sub", self._rank, self._counts)
            exists = self._value("Less", index, self._total)
        else:
            index = self._value("Sub", self._rank, self._integers(1))
            exists = self._value("Greater", self._rank, self._integers(0))
        lowest, highest = (self._graph.constant(f"number_{n}", np.array(n)) for n in (0, self._length - 1))
        index = self._value("Clip", index, lowest, highest)
        spread = self._gathered(self._graph.batch_major(y).name, index)
        shown = self._value("Unsqueeze", self._mask if zero else exists, self._integers(2))
        return replace(y, name=self._zero_unless(shown, spread), time_major=False)

    def zero_unless_counted(self, y: Tensor, step: int) -> Tensor:
        """Return `y`, (batch, features), for windows in which `step` counts, else 0."""
        shown = self._value("Gather", self._mask, self._integers(step), axis=1)
        return replace(y, name=self._zero_unless(shown, y.name))

    def kept_unless_any(self, state: str, initial: str) -> str:
        """Return `state`, (batch, features), for windows in which any step counts, else the initial state."""
        none = self._value("Equal", self._total, self._graph.constant("number_0", np.array(0)))
        return self._value("Where", none, initial, state)

    def _gathered(self, values: str, index: str) -> str:
        """values[window, index[window, step]], from (batch, steps, features) and (batch, steps)."""
        places = self._value("Unsqueeze", index, self._integers(2))
        return self._value("GatherND", values, places, batch_dims=1)

    def _zero_unless(self, shown: str, values: str) -> str:
        return self._value("Where", shown, values, self._graph.constant("zero", np.array(0.0, np.float32)))

    def _integers(self, *values: int) -> str:
        name = "integers_" + ("_".join(map(str, values)) if len(values) == 1 else f"{values[0]}_to_{values[-1]}")
        return self._graph.constant(name, np.array(values))

    def _value(self, op: str, *inputs: str, **attributes: int) -> str:
        return self._graph.value(op, self._scope, *inputs, **attributes)
