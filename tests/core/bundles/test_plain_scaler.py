"""A scaler that subtracts and divides gives without ONNX Runtime what it gives with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.bundles.plain_scaler import plain_scaler
from core.inference import session

CENTRE, SCALE = np.array([1.5, -2.0, 1e300]), np.array([0.3, 7.0, 1e-300])


def graph(
    *operators: str, centre: object = CENTRE, scale: object = SCALE, swapped: bool = False, to: int = TensorProto.FLOAT
) -> bytes:
    nodes = []
    for i, operator in enumerate(operators):
        takes, constant = (f"v{i}" if i else "raw"), {"Sub": ["centre"], "Div": ["scale"], "Add": ["centre"]}
        inputs = [takes, *constant.get(operator, [])]
        attributes: dict[str, Any] = {"to": to} if operator == "Cast" else {}
        nodes.append(helper.make_node(operator, inputs[::-1] if swapped else inputs, [f"v{i + 1}"], **attributes))
    nodes[-1].output[0] = "scaled"
    named = {"centre": centre, "scale": scale}
    constants = [numpy_helper.from_array(np.array(value), name) for name, value in named.items()]
    shape: list[str | int | None] = ["batch", 4, 3]
    made = helper.make_graph(
        nodes,
        "scaler",
        [helper.make_tensor_value_info("raw", TensorProto.DOUBLE, shape)],
        [helper.make_tensor_value_info("scaled", to, shape)],
        constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    onnx.checker.check_model(model)
    return data


def test_it_equals_onnx_runtime_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((50, 4, 3)) * 10.0 ** rng.integers(-300, 300, (50, 4, 3))
    values[0, 0] = [np.nan, np.inf, -np.inf]
    data = graph("Sub", "Div", "Cast")
    found = plain_scaler(data, 3)
    assert found is not None
    with np.errstate(all="ignore"):
        ours = ((values - found.centre) / found.scale).astype(np.float32)
    np.testing.assert_array_equal(ours, session.make(data).run(None, {"raw": values})[0])


@pytest.mark.parametrize(
    "data",
    [
        graph("Div", "Sub", "Cast"),
        graph("Sub", "Cast"),
        graph("Sub", "Div", "Cast", "Cast"),
        graph("Add", "Div", "Cast"),
        graph("Sub", "Div", "Cast", swapped=True),
        graph("Sub", "Div", "Cast", to=TensorProto.DOUBLE),
        graph("Sub", "Div", "Cast", centre=1.5),
        graph("Sub", "Div", "Cast", centre=CENTRE[None]),
        graph("Sub", "Div", "Cast", scale=SCALE[:1]),
    ],
)
def test_another_graph_is_left_to_onnx_runtime(data: bytes) -> None:
    assert plain_scaler(data, 3) is None


def test_another_width_is_left_to_onnx_runtime() -> None:
    assert plain_scaler(graph("Sub", "Div", "Cast"), 4) is None


def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="truncated"):
        plain_scaler(graph("Sub", "Div", "Cast")[:-5], 3)
