from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.bundles import onnx_file as onnx_graph
from tests.market import ONNX


def test_the_committed_graphs() -> None:
    graphs = list(ONNX.rglob("*.onnx"))
    assert graphs
    for graph in graphs:
        assert onnx_graph.opsets(graph.read_bytes()) == {"": 17}


def test_every_domain_is_found() -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "graph", values[:1], values[1:])
    imports = [helper.make_opsetid("", 300), helper.make_opsetid("com.example", 1)]
    model = helper.make_model(graph, opset_imports=imports, doc_string="a text before the imports")
    assert onnx_graph.opsets(model.SerializeToString()) == {"": 300, "com.example": 1}


@pytest.mark.parametrize("data", [b"\x42", b"\x42\x10\x00", b"\x07", b"\xff" * 11, b"\x42\x02\x08\x01", b"\x09\x00"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"early|wire|bits|damaged"):
        onnx_graph.opsets(data)


def outside(name: str) -> TensorProto:
    """A tensor whose numbers are in another file."""
    tensor = numpy_helper.from_array(np.zeros(1, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def model(nodes: list, initializers: list) -> bytes:  # type: ignore[type-arg]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    found: bytes = helper.make_model(
        helper.make_graph(nodes, "graph", values[:1], values[1:], initializers)
    ).SerializeToString()
    return found


def test_numbers_in_other_files_are_found_wherever_they_are_asked_for() -> None:
    add = [helper.make_node("Add", ["x", "w"], ["y"])]
    inside = numpy_helper.from_array(np.zeros(1, np.float32), "w")
    assert not onnx_graph.has_external_data(model(add, [inside]))
    assert onnx_graph.has_external_data(model(add, [outside("w")]))
    constant = [helper.make_node("Constant", [], ["w"], value=outside("w")), *add]
    assert onnx_graph.has_external_data(model(constant, []))
    branch = helper.make_graph(constant[:1], "branch", [], [helper.make_tensor_value_info("w", TensorProto.FLOAT, [1])])
    nested = [helper.make_node("If", ["x"], ["w"], then_branch=branch, else_branch=branch), *add]
    assert onnx_graph.has_external_data(model(nested, []))


def test_the_committed_graphs_hold_their_numbers() -> None:
    assert not any(onnx_graph.has_external_data(file.read_bytes()) for file in ONNX.rglob("*.onnx"))


def field(number: int, message: bytes) -> bytes:
    """A protobuf field that holds a message."""
    size, length = len(message), b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + message


def test_graphs_within_graphs_do_not_exhaust_the_stack() -> None:
    graph = b""
    for _ in range(2_000):
        graph = field(1, field(5, field(6, graph)))  # of a graph a node, of that an attribute, of that a graph
    with pytest.raises(ValueError, match="nested too deeply"):
        onnx_graph.has_external_data(field(7, graph))
