from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.bundles import onnx_file as onnx_graph
from tests.market import ONNX


def test_the_committed_graphs_use_operator_set_17_and_the_trees_3_beside_it() -> None:
    found = {graph.relative_to(ONNX): onnx_graph.opsets(graph.read_bytes()) for graph in ONNX.rglob("*.onnx")}
    (trees,) = ONNX.glob("v3.2/stage2-network-*.onnx")
    assert found.pop(trees.relative_to(ONNX)) == {"": 17, "ai.onnx.ml": 3}
    assert len(found) == 9
    assert all(opsets == {"": 17} for opsets in found.values())


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
    assert onnx_graph.forbidden(model(add, [inside])) is None
    assert onnx_graph.forbidden(model(add, [outside("w")])) == "stores tensors in other files"
    constant = [helper.make_node("Constant", [], ["w"], value=outside("w")), *add]
    assert onnx_graph.forbidden(model(constant, [])) == "stores tensors in other files"
    branch = helper.make_graph(constant[:1], "branch", [], [helper.make_tensor_value_info("w", TensorProto.FLOAT, [1])])
    nested = [helper.make_node("If", ["x"], ["w"], then_branch=branch, else_branch=branch), *add]
    assert onnx_graph.forbidden(model(nested, [])) == "stores tensors in other files"


def test_the_committed_graphs_do_nothing_forbidden() -> None:
    assert not any(onnx_graph.forbidden(file.read_bytes()) for file in ONNX.rglob("*.onnx"))


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
        onnx_graph.forbidden(field(7, graph))


@pytest.mark.parametrize("where", ["graph", "branch", "function"])
def test_operators_that_are_not_onnx_s_own_are_found(where: str) -> None:
    strange = [helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")]
    if where == "branch":
        branch = helper.make_graph(strange, "branch", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
        strange = [helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)]
    data = model(strange if where != "function" else [helper.make_node("Identity", ["x"], ["y"])], [])
    if where == "function":
        imports = [helper.make_opsetid("com.microsoft", 1)]
        function = helper.make_function("", "Own", ["x"], ["y"], strange, imports)
        data += b"\xca\x01" + field(1, function.SerializeToString())[1:]  # field 25
        assert onnx_graph.forbidden(data) == "defines operators of its own"
    else:
        assert onnx_graph.forbidden(data) == "uses an operator of the domain b'com.microsoft'"


def test_onnx_s_own_domain_can_be_named() -> None:
    assert onnx_graph.forbidden(model([helper.make_node("Gelu", ["x"], ["y"], domain="ai.onnx")], [])) is None


def of_trees(operator: str, domain: str = "ai.onnx.ml") -> bytes:
    return model([helper.make_node(operator, ["x"], ["y"], domain=domain)], [])


def test_of_onnx_s_second_set_only_trees_are_allowed() -> None:
    assert onnx_graph.forbidden(of_trees("TreeEnsembleRegressor")) is None
    for other in ("Scaler", "TreeEnsembleClassifier", ""):
        found = onnx_graph.forbidden(of_trees(other))
        assert found == "uses another operator of the domain ai.onnx.ml than TreeEnsembleRegressor"
    # A field that comes twice counts, whichever a decoder takes.
    named = helper.make_node("Scaler", ["x"], ["y"], domain="ai.onnx.ml").SerializeToString()
    twice = named + field(4, b"TreeEnsembleRegressor")
    assert onnx_graph.forbidden(field(7, field(1, twice))) is not None
    domains = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="com.x").SerializeToString()
    assert onnx_graph.forbidden(field(7, field(1, domains + field(7, b"ai.onnx.ml")))) is not None
