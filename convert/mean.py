"""A mean of several models as one stage: the sigmoid of the mean of what goes into their own sigmoids.

Logits are averaged, not probabilities: a model that is sure counts more, and the graph saves a sigmoid for each model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from convert.errors import Refused
from convert.graph import FLOAT, assembled
from convert.layers.network import INPUT, OUTPUT
from convert.networks.float64 import NO_SIGMOID

Floats: TypeAlias = NDArray[np.float64]
Floats32: TypeAlias = NDArray[np.float32]


class Averaged(Protocol):
    """One of the models: convert.networks.keras_model.KerasModel, or convert.trees.booster.BoosterModel."""

    tool: tuple[str, str]
    window: tuple[int, int]
    mask_values: tuple[float, ...]
    mask_axes: tuple[int, ...]

    def logits(self) -> Callable[[Floats32], Floats]:
        """The input of its sigmoid, (batch, 1), in float64. Raises Refused if it does not end in one."""
        ...

    def seconds(self) -> float:
        """The time of one window."""
        ...


class MeanModel:
    """The reference of a mean, computed in float64 by the frameworks of its models."""

    def __init__(self, models: Sequence[Averaged]) -> None:
        """Raises Refused unless all end in a sigmoid."""
        self.window = models[0].window
        self.tool = ("the mean of", " and ".join(dict.fromkeys(" ".join(model.tool) for model in models)))
        self.mask_values = tuple(sorted({value for model in models for value in model.mask_values}))
        self.mask_axes = max((model.mask_axes for model in models), key=len)
        self._models = models
        self._logits = [model.logits() for model in models]

    def predict(self, windows: Floats32) -> Floats32:
        """The stage's answers, (batch, 1), for (batch, steps, features)."""
        return self._exact(windows).astype(np.float32)

    def in_float64(self) -> Callable[[Floats32], Floats]:
        """`predict` without the rounding of its answers."""
        return self._exact

    def seconds(self) -> float:
        """The time of all models for one window."""
        return sum(model.seconds() for model in self._models)

    def _exact(self, windows: Floats32) -> Floats:
        mean = np.mean([logits(windows) for logits in self._logits], axis=0)
        with np.errstate(over="ignore"):  # far below 0, the answer is 0
            return np.asarray(1.0 / (1.0 + np.exp(-mean)))


def merged(graphs: Sequence[onnx.ModelProto], window: tuple[int, int]) -> onnx.ModelProto:
    """One graph of the models' graphs, which all take the window and end in a sigmoid. Raises Refused."""
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, onnx.TensorProto] = {}
    logits = []
    for i, model in enumerate(graphs):
        for node in model.graph.node:
            if any(attribute.HasField("g") for attribute in node.attribute):
                raise Refused(f"a mean is of models without Loops, but one has a {node.op_type}")
            inputs, outputs = ([_name(i, name) for name in names] for names in (node.input, node.output))
            if OUTPUT in node.output:
                if node.op_type != "Sigmoid":
                    raise Refused(NO_SIGMOID)
                logits.append(inputs[0])
                continue
            copied = onnx.NodeProto()
            copied.CopyFrom(node)
            copied.name = _name(i, node.name)
            copied.input[:], copied.output[:] = inputs, outputs
            nodes.append(copied)
        for constant in model.graph.initializer:
            named = onnx.TensorProto()
            named.CopyFrom(constant)
            named.name = _name(i, constant.name)
            constants[named.name] = named
    nodes.append(helper.make_node("Mean", logits, ["mean"], name="mean"))
    nodes.append(helper.make_node("Sigmoid", ["mean"], [OUTPUT], name=OUTPUT))
    return assembled(nodes, constants, (INPUT, FLOAT, window), (OUTPUT, FLOAT, (1,)))


def _name(i: int, name: str) -> str:
    """A name in the merged graph. The window is that of all models, and an omitted input has no name."""
    return name if name in ("", INPUT) else f"model_{i + 1}/{name}"
