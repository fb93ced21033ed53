"""Clean a graph of tf2onnx: stable names and order, nothing unused, no zero states, and the ends of a network.

tf2onnx numbers its names in each process, adds an initial state of zeros to each recurrent node, uses an operator that
ONNX Runtime does not have, and turns constants that TensorFlow captured into inputs. The order and the names here
follow from the structure of the graph only, so the same network gives the same bytes.
"""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import defs, helper, numpy_helper

from convert.errors import Refused
from convert.graph import FLOAT, IR_VERSION, PRODUCER
from convert.networks import loops
from convert.networks.loops import Walk, all_graphs, inner_graphs
from core.bundles.manifest import OPSET

LOOPS = frozenset({"Loop", "Scan"})
# The positions of the initial states among the inputs of recurrent nodes.
_STATES = {"LSTM": (5, 6), "GRU": (5,), "RNN": (5,)}
# Operators that give zeros for zeros, whatever their other inputs are.
_KEEPS_ZEROS = frozenset(
    {"Cast", "Expand", "Identity", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
)


def cleaned(
    model: onnx.ModelProto,
    constants: Mapping[str, NDArray[Any]],
    ends: tuple[tuple[str, Sequence[int]], tuple[str, Sequence[int]]],
) -> onnx.ModelProto:
    """Return the checked network, of one input and one output, both float32.

    constants: values of the inputs that are none. ends: names and shapes of the input and the output, without the
    batch. Raises Refused for operators that are not ONNX's own, or that draw random numbers.
    """
    graph = onnx.GraphProto()
    graph.CopyFrom(model.graph)
    (given, given_shape), (result, result_shape) = ends
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    windows = [x.name for x in graph.input if x.name not in constants]
    for each in all_graphs(graph):
        _without_constant_nodes(each)
        _without_identities(each)
        _without_erfc(each)
        _without_zero_states(each)
        _check(each)
    loops.reduce(graph)
    naming = _Naming()
    names: MutableMapping[str, str] = dict.fromkeys(windows, given)
    nodes, (last,) = naming.graph(graph, names, "")
    ends_in_node = any(last in node.output for node in nodes)
    if ends_in_node:
        _rename(nodes, last, result)
    else:
        nodes.append(helper.make_node("Identity", [last], [result], name="Identity"))
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(given, FLOAT, ["batch", *given_shape])],
            [helper.make_tensor_value_info(result, FLOAT, ["batch", *result_shape])],
            list(naming.constants.values()),
        ),
        producer_name=PRODUCER,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    onnx.checker.check_model(made, full_check=True)
    return made


def operators(graph: onnx.GraphProto) -> Counter[str]:
    """The number of nodes of each operator, including those inside loops."""
    return Counter(node.op_type for each in all_graphs(graph) for node in each.node)


def _check(graph: onnx.GraphProto) -> None:
    for node in graph.node:
        if "Random" in node.op_type or node.op_type in {"Bernoulli", "Multinomial"}:
            raise Refused.at(
                node.name, f"{node.op_type} draws random numbers in predictions; is a layer called with training=True?"
            )
        if node.domain not in {"", "ai.onnx"} or not defs.has(node.op_type, max_inclusive_version=OPSET):
            raise Refused.at(node.name, f"TensorFlow's operation {node.op_type} cannot be converted by tf2onnx")


def _replace(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
    del graph.node[:]
    graph.node.extend(nodes)


def _without_constant_nodes(graph: onnx.GraphProto) -> None:
    kept = []
    for node in graph.node:
        value = next((x for x in node.attribute if x.name == "value"), None)
        if node.op_type != "Constant" or value is None:
            kept.append(node)
            continue
        tensor = graph.initializer.add()
        tensor.CopyFrom(value.t)
        tensor.name = node.output[0]
    _replace(graph, kept)


def _without_identities(graph: onnx.GraphProto) -> None:
    """tf2onnx places them in another way in each run. A body of a loop gets its own at the end (see _body)."""
    same = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    for name, value in same.items():
        source = value
        while source in same:
            source = same[source]
        same[name] = source
    _replace(graph, [node for node in graph.node if node.op_type != "Identity"])
    loops.substitute(graph, same)


def _without_erfc(graph: onnx.GraphProto) -> None:
    """Erfc(x) = 1 - Erf(x). ONNX Runtime has no Erfc."""
    kept: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type != "Erfc":
            kept.append(node)
            continue
        error, one = f"{node.output[0]}/erf", f"{node.output[0]}/one"
        graph.initializer.append(numpy_helper.from_array(np.array(1.0, np.float32), one))
        kept.append(helper.make_node("Erf", [node.input[0]], [error]))
        kept.append(helper.make_node("Sub", [one, error], [node.output[0]]))
    _replace(graph, kept)


def _without_zero_states(graph: onnx.GraphProto) -> None:
    """Leave out initial states of zeros, which are ONNX's default."""
    zeros = _Zeros(graph)
    for node in graph.node:
        for position in _STATES.get(node.op_type, ()):
            if position < len(node.input) and zeros.all_zero(node.input[position]):
                node.input[position] = ""
        while node.input and not node.input[-1]:
            del node.input[-1]


class _Zeros:
    """Says which values of a graph are zeros for any input."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._producers = {name: node for node in graph.node for name in node.output}

    def all_zero(self, name: str) -> bool:
        if name in self._constants:
            return not numpy_helper.to_array(self._constants[name]).any()
        node = self._producers.get(name)
        if node is None:
            return False
        if node.op_type == "ConstantOfShape":
            value = next((numpy_helper.to_array(x.t) for x in node.attribute if x.name == "value"), np.zeros(1))
            return not value.any()
        if node.op_type == "Concat":
            return all(self.all_zero(each) for each in node.input)
        return node.op_type in _KEEPS_ZEROS and self.all_zero(node.input[0])


class _Naming:
    """Gives nodes and constants names that follow from the structure of the graph. Equal constants are stored once."""

    def __init__(self) -> None:
        self.constants: dict[tuple[str, tuple[int, ...], bytes], onnx.TensorProto] = {}

    def graph(
        self, graph: onnx.GraphProto, names: MutableMapping[str, str], prefix: str
    ) -> tuple[list[onnx.NodeProto], list[str]]:
        """The needed nodes under their new names, and the new names of the outputs.

        names: new names by old ones, of the inputs and of the values from outside.
        """
        values = {tensor.name: tensor for tensor in graph.initializer}
        counts: Counter[str] = Counter()
        found: list[onnx.NodeProto] = []
        for old in Walk(graph).nodes:
            node = onnx.NodeProto()
            node.CopyFrom(old)
            counts[node.op_type] += 1
            node.name = f"{prefix}{node.op_type}_{counts[node.op_type]}"
            node.ClearField("doc_string")
            node.input[:] = [self._name(name, names, values) for name in old.input]
            several = sum(map(bool, old.output)) > 1
            for i, name in enumerate(old.output):
                if name:
                    names[name] = node.output[i] = f"{node.name}:{i}" if several else node.name
            for free in (x for inner in inner_graphs(old) for x in Walk(inner).outside):
                self._name(free, names, values)
            for inner in inner_graphs(node):
                self._body(inner, names, f"{node.name}/")
            attributes = sorted(node.attribute, key=lambda x: x.name)
            del node.attribute[:]
            node.attribute.extend(attributes)
            found.append(node)
        return found, [self._name(x.name, names, values) for x in graph.output]

    def _body(self, graph: onnx.GraphProto, outer: MutableMapping[str, str], prefix: str) -> None:
        """Rename the graph of a loop or a condition in place. Its constants become those of the whole network."""
        inside: ChainMap[str, str] = ChainMap({}, outer)
        for i, value in enumerate(graph.input):
            inside[value.name] = f"{prefix}input_{i}"
            value.name = inside[value.name]
        nodes, results = self.graph(graph, inside, prefix)
        made = {name for node in nodes for name in node.output}
        for i, name in enumerate(results):
            if name not in made or name in results[:i]:  # a body returns values of its own, each once
                results[i] = f"{prefix}output_{i}"
                nodes.append(helper.make_node("Identity", [name], [results[i]], name=results[i]))
        for value, name in zip(graph.output, results, strict=True):
            value.name = name
        for value in (*graph.input, *graph.output):
            _without_named_dimensions(value)
        graph.name = f"{prefix}body"
        del graph.initializer[:]
        del graph.value_info[:]
        graph.ClearField("doc_string")
        _replace(graph, nodes)

    def _name(self, name: str, names: MutableMapping[str, str], values: Mapping[str, onnx.TensorProto]) -> str:
        """The new name of a value. A constant gets one when it is first used."""
        if not name:
            return ""
        if name not in values:
            return names[name]
        array = numpy_helper.to_array(values[name])
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = numpy_helper.from_array(
                np.asarray(array, order="C"), f"constant_{len(self.constants)}"
            )
        names[name] = self.constants[key].name
        return names[name]


def _without_named_dimensions(value: onnx.ValueInfoProto) -> None:
    """tf2onnx numbers the dimensions that it does not know."""
    for dimension in value.type.tensor_type.shape.dim:
        if dimension.dim_param:
            dimension.Clear()
    value.ClearField("doc_string")


def _rename(nodes: Sequence[onnx.NodeProto], old: str, new: str) -> None:
    for node in nodes:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
        for inner in inner_graphs(node):
            _rename(inner.node, old, new)
