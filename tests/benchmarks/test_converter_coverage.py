"""The page on the converter: its figures come from the rows, and it has every network of the corpus."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto, helper

from benchmarks import converter_coverage
from benchmarks.converter_corpus import networks
from benchmarks.converter_coverage import PAGE, operators, page, summary

ABOUT: dict[str, Any] = {"cores": 2, "cpu": "a processor", "load": [0.5, 1.25, 2.0]}


def row(way: str, **figures: Any) -> dict[str, Any]:  # noqa: ANN401 - figures of any type
    return {
        "network": "GRU",
        "file": "Keras 3 .keras",
        "way": way,
        "difference": 1e-7,
        "nodes": 7,
        "loops": 0,
        "us": 10.0,
        "call_ms": 1.0,
        "predict_ms": 20.0,
    } | figures


ROWS = [
    row("layers", tf2onnx_nodes=50, tf2onnx_loops=1, tf2onnx_us=150.0),
    row("layers", difference=3e-7, tf2onnx_nodes=9, tf2onnx_loops=0, tf2onnx_us=12.0),
    row("layers", tf2onnx_error="ValueError"),
    row("tf2onnx", loops=2, us=300.0, tf2onnx_nodes=80, tf2onnx_loops=2, tf2onnx_us=330.0),
]


def test_the_summary_follows_from_the_rows() -> None:
    found = [figure for _, figure in summary(ROWS)]
    assert found[:3] == [
        "4",
        "3, 0 with Loops, largest difference 3.0e-07",
        "1, 1 with Loops, largest difference 1.0e-07",
    ]
    assert found[3:5] == ["3, 1 with Loops where ours have none", "1"]
    medians = [figure.split()[0] for figure in found[5:]]
    assert medians == ["2,000", "100", "1.2", "15"]


def test_every_row_has_every_column() -> None:
    lines = page(ROWS, ABOUT).splitlines()
    table = [line for line in lines[lines.index(converter_coverage.COLUMNS) :] if line.startswith("|")]
    assert len(table) == 2 + len(ROWS)
    assert {line.count("|") for line in table} == {converter_coverage.COLUMNS.count("|")}
    assert "0.5, 1.25, 2" in page(ROWS, ABOUT)


def test_operators_inside_loops_are_counted() -> None:
    inner = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "inner", [], [])
    nodes = [helper.make_node("Loop", ["n"], ["z"], body=inner), helper.make_node("Relu", ["z"], ["out"])]
    output = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])
    assert operators(helper.make_graph(nodes, "outer", [], [output])) == ["Loop", "Relu", "Add"]


def test_the_page_has_every_network_of_the_corpus() -> None:
    shown = {tuple(cell.strip() for cell in line.split("|")[1:3]) for line in PAGE.read_text().splitlines()}
    assert {(network.kind, network.form) for network in networks()} <= shown
