from __future__ import annotations

import pytest
from onnx import TensorProto, helper

from core import opset
from tests.market import ONNX


def test_the_committed_graphs() -> None:
    graphs = list(ONNX.rglob("*.onnx"))
    assert graphs
    for graph in graphs:
        assert opset.imported(graph.read_bytes()) == {"": 17}


def test_every_domain_is_found() -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "graph", values[:1], values[1:])
    imports = [helper.make_opsetid("", 300), helper.make_opsetid("com.example", 1)]
    model = helper.make_model(graph, opset_imports=imports, doc_string="a text before the imports")
    assert opset.imported(model.SerializeToString()) == {"": 300, "com.example": 1}


@pytest.mark.parametrize("data", [b"\x42", b"\x42\x10\x00", b"\x07", b"\xff" * 11, b"\x42\x02\x08\x01", b"\x09\x00"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"early|wire|bits|damaged"):
        opset.imported(data)
