"""Build an ONNX graph. The same model always gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from convert.errors import Refused
from core.bundles.manifest import OPSET, TREES_OPSET
from core.bundles.onnx_file import TREES_DOMAIN

IR_VERSION = 8  # the version that was released with this opset
PRODUCER = "reversal.convert"

# A layer, model or function of tf_keras or keras, which have no types.
Keras: TypeAlias = Any
# The value of a node's attribute: a number, a text, or a list of either.
Attribute: TypeAlias = Any


@dataclass(frozen=True)
class Tensor:
    """A value of the graph.

    shape: as in Keras, without the batch: (steps, features) or (features,).
    time_major: whether the value has the layout (steps, batch, features) of ONNX's recurrent nodes.
    mask: the name of a bool (batch, steps), true for each step that counts; None if all steps count.
    """

    name: str
    shape: tuple[int, ...]
    time_major: bool = False
    mask: str | None = None


class GraphBuilder:
    """Nodes in the order in which they run, and their constants."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._names: set[str] = set()
        self._turned: dict[str, Tensor] = {}

    def node(self, op: str, scope: str, inputs: Sequence[str], outputs: int = 1, **attributes: Attribute) -> list[str]:
        """Add a node named `scope`/`op`. Returns the names of its outputs. An omitted input is ""."""
        name = self._unique(f"{scope}/{op}")
        results = [name] if outputs == 1 else [f"{name}:{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(op, list(inputs), results, name=name, **attributes))
        return results

    def value(self, op: str, scope: str, *inputs: str, **attributes: Attribute) -> str:
        """Add a node with one output. Returns the output's name."""
        return self.node(op, scope, inputs, **attributes)[0]

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant. Returns its name. The weights of a layer that is called twice are stored once."""
        tensor = numpy_helper.from_array(np.asarray(array, order="C"), name)
        known = self._constants.get(name)
        if known is not None and known == tensor:
            return name
        tensor.name = self._unique(name)
        self._constants[tensor.name] = tensor
        return tensor.name

    def batch_major(self, tensor: Tensor) -> Tensor:
        """The tensor as (batch, steps, features)."""
        return self._turn(tensor) if tensor.time_major else tensor

    def time_major(self, tensor: Tensor) -> Tensor:
        """The tensor as (steps, batch, features)."""
        return tensor if tensor.time_major else self._turn(tensor)

    def _turn(self, tensor: Tensor) -> Tensor:
        """Swap batch and steps. Swapping back gives the original tensor, so stacked layers need no further nodes."""
        if tensor.name not in self._turned:
            turned = self.value("Transpose", tensor.name.split("/")[0], tensor.name, perm=[1, 0, 2])
            self._turned[tensor.name] = replace(tensor, name=turned, time_major=not tensor.time_major)
            self._turned[turned] = tensor
        return replace(self._turned[tensor.name], mask=tensor.mask)

    def _unique(self, name: str) -> str:
        candidate, n = name, 1
        while candidate in self._names:
            n += 1
            candidate = f"{name}_{n}"
        self._names.add(candidate)
        return candidate

    def finish(
        self, inputs: tuple[str, int, Sequence[int]], output: tuple[str, int, Sequence[int]], result: str
    ) -> onnx.ModelProto:
        """Return the checked model. `inputs` and `output`: name, element type, shape without the batch.

        `result` is the value that the graph returns. Nodes that do not lead to it are left out. Raises Refused for a
        Loop or Scan, because it runs step by step, which is many times slower than a fused node.
        """
        if not self._nodes or result == inputs[0]:
            result = self.value("Identity", "output", result)
        nodes = self._needed(result)
        for node in nodes:
            if node.op_type in {"Loop", "Scan"}:
                raise Refused.at(node.name, f"became a {node.op_type}, which runs step by step and is never published")
            _rename(node, result, output[0])
        return assembled(nodes, self._constants, inputs, output)

    def _needed(self, result: str) -> list[onnx.NodeProto]:
        wanted, nodes = {result}, []
        for node in reversed(self._nodes):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                nodes.append(node)
        return nodes[::-1]


def assembled(
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, onnx.TensorProto],
    inputs: tuple[str, int, Sequence[int]],
    output: tuple[str, int, Sequence[int]],
) -> onnx.ModelProto:
    """The checked model of these nodes, with the constants that they use. Raises Refused."""
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(inputs[0], inputs[1], ["batch", *inputs[2]])],
        [helper.make_tensor_value_info(output[0], output[1], ["batch", *output[2]])],
        [constant for name, constant in constants.items() if name in used],
    )
    sets = [helper.make_opsetid("", OPSET)]
    if any(node.domain == TREES_DOMAIN for node in nodes):
        sets.append(helper.make_opsetid(TREES_DOMAIN, TREES_OPSET))
    model = helper.make_model(graph, producer_name=PRODUCER, ir_version=IR_VERSION, opset_imports=sets)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        # Keras builds layers after others whose result is narrower than they say, and fails when it calls them.
        raise Refused(f"the shapes of its layers do not fit together: {error}") from None
    return model


def _rename(node: onnx.NodeProto, old: str, new: str) -> None:
    node.input[:] = [new if name == old else name for name in node.input]
    node.output[:] = [new if name == old else name for name in node.output]


FLOAT, DOUBLE, BOOL = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.BOOL
