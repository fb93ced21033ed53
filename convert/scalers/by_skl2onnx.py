"""Graphs of skl2onnx, made into nodes of ours: in float64, of ONNX's own operators, with the same names each time."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import NodeProto, helper, numpy_helper
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from convert.errors import Refused, line
from convert.graph import DOUBLE, GraphBuilder
from convert.scalers.part import Estimator
from core.bundles.manifest import OPSET

# What it converts exactly. Not in it: a Normalizer, since a row of zeros becomes NaN.
_EXACT = frozenset({"StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "Binarizer"})
# The operator of the domain ai.onnx.ml that it writes for a choice of columns.
_CHOICE = "ArrayFeatureExtractor"


def converts(estimator: Estimator, width: int) -> bool:
    """Whether skl2onnx 1.20 converts the estimator and all parts of it exactly in float64."""
    if isinstance(estimator, Pipeline):  # it has no parser for steps that are a text
        return all(not isinstance(step, str) and converts(step, width) for _, step in estimator.steps)
    if isinstance(estimator, ColumnTransformer):
        return all(
            part == "drop" or (_keeps_choice(columns, width) and converts(part, len(columns)))
            for _, part, columns in estimator.transformers_
        )
    return type(estimator).__name__ in (*_EXACT, "FunctionTransformer")


def _keeps_choice(columns: list[int], width: int) -> bool:
    """Whether it keeps the order of the columns: not if a part has as many columns as the input."""
    return len(columns) != width or columns == list(range(width))


def write(estimator: Estimator, width: int, graph: GraphBuilder, scope: str, x: str) -> str:
    """Add the nodes of skl2onnx behind `x`, float64 (batch, steps, width). Returns the name of the result.

    Raises Refused for what ONNX Runtime cannot run in float64, or the server does not take.
    """
    # Takes a second, which most conversions do not need.
    from skl2onnx import convert_sklearn  # type: ignore[import-untyped,unused-ignore] # noqa: PLC0415
    from skl2onnx.common.data_types import DoubleTensorType  # type: ignore[import-untyped,unused-ignore] # noqa: PLC0415

    try:
        made = convert_sklearn(
            estimator, initial_types=[("x", DoubleTensorType([None, width]))], target_opset={"": OPSET, "ai.onnx.ml": 1}
        ).graph
    except Exception as error:  # noqa: BLE001 - its errors have no common class
        raise Refused(f"skl2onnx cannot convert {type(estimator).__name__}: {line(str(error), 200)}") from None
    shape = graph.value("Shape", scope, x)
    flat = graph.value("Reshape", scope, x, graph.constant(f"{scope}/rows", np.array([-1, width])))
    names = {made.input[0].name: flat, "": ""}
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.initializer}
    for node in made.node:
        inputs = []
        for i, name in enumerate(node.input):
            if name in arrays and name not in names:
                array = arrays[name].ravel() if node.op_type == _CHOICE and i == 1 else arrays[name]
                names[name] = graph.constant(f"{scope}/{node.op_type}/{i}", array)
            inputs.append(names[name])
        names |= dict(zip(node.output, _written(node, inputs, graph, scope), strict=True))
    return graph.value("Reshape", scope, names[made.output[0].name], shape)


def _written(node: NodeProto, inputs: list[str], graph: GraphBuilder, scope: str) -> list[str]:
    attributes: dict[str, Any] = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    if node.domain == "ai.onnx.ml" and node.op_type == _CHOICE:
        return graph.node("Gather", scope, inputs, axis=1)
    if node.domain:
        raise Refused(f"skl2onnx needs {node.op_type} of {node.domain}, which the server does not run")
    if node.op_type == "Identity" or (node.op_type == "Cast" and attributes["to"] == DOUBLE):
        return inputs
    if node.op_type == "Cast":
        raise Refused("skl2onnx computes in another type than float64")
    return graph.node(node.op_type, scope, inputs, len(node.output), **attributes)
