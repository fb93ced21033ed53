from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.bundles import onnx_file as onnx_graph
from tests.market import ONNX


def test_the_committed_graphs_use_operator_set_17() -> None:
    graphs = list(ONNX.rglob("*.onnx"))
    assert graphs
    for graph in graphs:
        assert onnx_graph.opsets(graph.read_bytes()) == {"": 17}


def test_all_domains_are_found() -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "graph", values[:1], values[1:])
    imports = [helper.make_opsetid("", 300), helper.make_opsetid("com.example", 1)]
    model = helper.make_model(graph, opset_imports=imports, doc_string="a text before the imports")
    assert onnx_graph.opsets(model.SerializeToString()) == {"": 300, "com.example": 1}


@pytest.mark.parametrize("data", [b"\x42", b"\x42\x10\x00", b"\x07", b"\xff" * 11, b"\x42\x02\x08\x01", b"\x09\x00"])
def test_bytes_that_are_not_a_message_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"truncated|wire|bits|damaged"):
        onnx_graph.opsets(data)


def outside(name: str) -> TensorProto:
    """A tensor with its values in another file."""
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


def test_tensors_in_other_files_are_found_at_any_place_of_a_graph() -> None:
    add = [helper.make_node("Add", ["x", "w"], ["y"])]
    inside = numpy_helper.from_array(np.zeros(1, np.float32), "w")
    assert not onnx_graph.has_external_data(model(add, [inside]))
    assert onnx_graph.has_external_data(model(add, [outside("w")]))
    constant = [helper.make_node("Constant", [], ["w"], value=outside("w")), *add]
    assert onnx_graph.has_external_data(model(constant, []))
    branch = helper.make_graph(constant[:1], "branch", [], [helper.make_tensor_value_info("w", TensorProto.FLOAT, [1])])
    nested = [helper.make_node("If", ["x"], ["w"], then_branch=branch, else_branch=branch), *add]
    assert onnx_graph.has_external_data(model(nested, []))


def test_the_committed_graphs_contain_their_tensors() -> None:
    assert not any(onnx_graph.has_external_data(file.read_bytes()) for file in ONNX.rglob("*.onnx"))


def field(number: int, message: bytes) -> bytes:
    """A protobuf field that contains a message."""
    size, length = len(message), b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + message


def test_nested_graphs_do_not_exhaust_the_stack() -> None:
    graph = b""
    for _ in range(2_000):
        graph = field(1, field(5, field(6, graph)))  # graph, node, attribute, graph
    with pytest.raises(ValueError, match="nested"):
        onnx_graph.has_external_data(field(7, graph))
