"""Keras' activation functions as ONNX nodes, and as the activations of ONNX's recurrent nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np

from convert.errors import Refused
from convert.graph import FLOAT, GraphBuilder, Keras, Tensor

Nodes: TypeAlias = Callable[[GraphBuilder, str, str], str]


class Fused(NamedTuple):
    """An activation inside LSTM or GRU. ONNX lists alphas and betas only for functions that have one."""

    name: str
    alpha: float | None = None
    beta: float | None = None


# The two slopes of `hard_sigmoid`: Keras 3 redefined clip(0.2 x + 0.5, 0, 1) as relu6(x + 3) / 6.
_HARD_SLOPE = {"tf_keras": 0.2, "keras": 1.0 / 6.0}

# The framework of a function by its package. Keras 2 takes leaky_relu from TensorFlow.
_FRAMEWORKS = {"tf_keras": "tf_keras", "tensorflow": "tf_keras", "keras": "keras"}


def _number(graph: GraphBuilder, value: float) -> str:
    return graph.constant(f"float_{value:g}", np.array(value, np.float32))


def _gelu(graph: GraphBuilder, scope: str, x: str) -> str:
    """0.5 x (1 + erf(x / sqrt 2))."""
    error = graph.value("Erf", scope, graph.value("Div", scope, x, _number(graph, 2.0**0.5)))
    half = graph.value("Mul", scope, x, _number(graph, 0.5))
    return graph.value("Mul", scope, half, graph.value("Add", scope, error, _number(graph, 1.0)))


def _sparse_plus(graph: GraphBuilder, scope: str, x: str) -> str:
    """(x + 1)^2 / 4 between -1 and 1, zero below, x above."""
    above = graph.value("Relu", scope, graph.value("Add", scope, x, _number(graph, 1.0)))
    curve = graph.value("Mul", scope, graph.value("Mul", scope, above, above), _number(graph, 0.25))
    return graph.value("Where", scope, graph.value("Less", scope, x, _number(graph, 1.0)), curve, x)


def _squareplus(graph: GraphBuilder, scope: str, x: str) -> str:
    """(x + sqrt(x^2 + 4)) / 2."""
    square = graph.value("Add", scope, graph.value("Mul", scope, x, x), _number(graph, 4.0))
    total = graph.value("Add", scope, x, graph.value("Sqrt", scope, square))
    return graph.value("Mul", scope, total, _number(graph, 0.5))


_NODES: dict[str, Nodes] = {
    "linear": lambda _g, _scope, x: x,
    "sigmoid": lambda g, scope, x: g.value("Sigmoid", scope, x),
    "tanh": lambda g, scope, x: g.value("Tanh", scope, x),
    "relu": lambda g, scope, x: g.value("Relu", scope, x),
    "softmax": lambda g, scope, x: g.value("Softmax", scope, x, axis=-1),
    "elu": lambda g, scope, x: g.value("Elu", scope, x, alpha=1.0),
    "selu": lambda g, scope, x: g.value("Selu", scope, x),
    "softplus": lambda g, scope, x: g.value("Softplus", scope, x),
    "softsign": lambda g, scope, x: g.value("Softsign", scope, x),
    "silu": lambda g, scope, x: g.value("Mul", scope, x, g.value("Sigmoid", scope, x)),
    "leaky_relu": lambda g, scope, x: g.value("LeakyRelu", scope, x, alpha=0.2),
    "exponential": lambda g, scope, x: g.value("Exp", scope, x),
    "gelu": _gelu,
    "hard_shrink": lambda g, scope, x: g.value("Shrink", scope, x, lambd=0.5, bias=0.0),
    "hard_silu": lambda g, scope, x: g.value(
        "Mul", scope, x, g.value("HardSigmoid", scope, x, alpha=_HARD_SLOPE["keras"], beta=0.5)
    ),
    "hard_tanh": lambda g, scope, x: g.value("Clip", scope, x, _number(g, -1.0), _number(g, 1.0)),
    "log_sigmoid": lambda g, scope, x: g.value("Neg", scope, g.value("Softplus", scope, g.value("Neg", scope, x))),
    "log_softmax": lambda g, scope, x: g.value("LogSoftmax", scope, x, axis=-1),
    "mish": lambda g, scope, x: g.value("Mul", scope, x, g.value("Tanh", scope, g.value("Softplus", scope, x))),
    "relu6": lambda g, scope, x: g.value("Clip", scope, x, _number(g, 0.0), _number(g, 6.0)),
    "soft_shrink": lambda g, scope, x: g.value("Shrink", scope, x, lambd=0.5, bias=0.5),
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda g, scope, x: g.value("HardSigmoid", scope, x, alpha=0.5, beta=0.5),
    "squareplus": _squareplus,
    "tanh_shrink": lambda g, scope, x: g.value("Sub", scope, x, g.value("Tanh", scope, x)),
}
_NODES |= {"celu": _NODES["elu"], "hard_swish": _NODES["hard_silu"], "swish": _NODES["silu"]}


def _glu(graph: GraphBuilder, scope: str, x: Tensor) -> Tensor:
    """The first half of the features, each times the sigmoid of its partner in the second half."""
    first, second = graph.node("Split", scope, [x.name], outputs=2, axis=-1)
    name = graph.value("Mul", scope, first, graph.value("Sigmoid", scope, second))
    return replace(x, name=name, shape=(*x.shape[:-1], x.shape[-1] // 2))


def _sparsemax(graph: GraphBuilder, scope: str, x: Tensor) -> Tensor:
    """max(x - tau, 0), with the tau of Keras.

    Keras adds up all cumulative sums of the support. The paper (arXiv:1602.02068) takes the last of them only.
    """
    width = x.shape[-1]
    # The axis of TopK and of CumSum counts the batch, and is the last one.
    highest, _ = graph.node("TopK", scope, [x.name, graph.constant(f"integers_{width}", np.array([width]))], outputs=2)
    sums = graph.value("CumSum", scope, highest, graph.constant("number_-1", np.array(-1)))
    ranks = graph.constant(f"float_1_to_{width}", np.arange(1, width + 1, dtype=np.float32))
    mean = graph.value("Div", scope, graph.value("Sub", scope, sums, _number(graph, 1.0)), ranks)
    support = graph.value("Cast", scope, graph.value("Less", scope, mean, highest), to=FLOAT)
    last = graph.constant("integers_-1", np.array([-1]))
    total, count = (
        graph.value("ReduceSum", scope, values, last, keepdims=1)
        for values in (graph.value("Mul", scope, support, sums), support)
    )
    tau = graph.value("Div", scope, graph.value("Sub", scope, total, _number(graph, 1.0)), count)
    return replace(x, name=graph.value("Relu", scope, graph.value("Sub", scope, x.name, tau)))


# Functions that need the shape.
_OF_SHAPES: dict[str, Callable[[GraphBuilder, str, Tensor], Tensor]] = {"glu": _glu, "sparsemax": _sparsemax}

_FUSED = {
    "linear": Fused("Affine", 1.0, 0.0),
    "sigmoid": Fused("Sigmoid"),
    "tanh": Fused("Tanh"),
    "relu": Fused("Relu"),
    "elu": Fused("Elu", 1.0),
    "softplus": Fused("Softplus"),
    "softsign": Fused("Softsign"),
    "leaky_relu": Fused("LeakyRelu", 0.2),
}
KNOWN = frozenset({"hard_sigmoid", *_NODES, *_OF_SHAPES})


def is_known(name: str) -> bool:
    """Whether this function can be converted, so that a file may name it."""
    return name in KNOWN


def apply(graph: GraphBuilder, scope: str, x: Tensor, function: Keras) -> Tensor:
    """Add the function's nodes. Raises Refused for a function that is not in the table."""
    name, framework = _identity(function)
    if name == "hard_sigmoid":
        y = graph.value("HardSigmoid", scope, x.name, alpha=_HARD_SLOPE[framework], beta=0.5)
        return replace(x, name=y)
    if name in _OF_SHAPES:
        return _OF_SHAPES[name](graph, scope, x)
    if name not in _NODES:
        raise Refused.at(scope, f"activation {name!r} cannot be converted; known: {', '.join(sorted(KNOWN))}")
    return replace(x, name=_NODES[name](graph, scope, x.name))


def named(graph: GraphBuilder, scope: str, x: str, name: str) -> str:
    """Add the nodes of a function that is the same in both frameworks."""
    return _NODES[name](graph, scope, x)


def fused(function: Keras) -> Fused | None:
    """The function as an activation of ONNX's recurrent nodes, or None if such nodes do not have it."""
    if hasattr(function, "get_config"):  # a layer
        return None
    name, framework = _identity(function)
    if name == "hard_sigmoid":
        return Fused("HardSigmoid", _HARD_SLOPE[framework], 0.5)
    return _FUSED.get(name)


class Relu(NamedTuple):
    """min(x, ceiling) for x above the threshold, and slope * (x - threshold) below it."""

    slope: float = 0.0
    ceiling: float | None = None
    threshold: float = 0.0

    def apply(self, graph: GraphBuilder, scope: str, x: str) -> str:
        """Add the nodes."""
        least = graph.constant(f"{scope}/threshold", np.array(self.threshold, np.float32))
        if self.threshold:
            above = graph.value("Greater", scope, x, least)
            y = graph.value("Where", scope, above, x, graph.constant("zero", np.array(0.0, np.float32)))
        elif self.slope:
            y = graph.value("LeakyRelu", scope, x, alpha=self.slope)
        else:
            y = graph.value("Relu", scope, x)
        if self.ceiling is not None:
            y = graph.value("Min", scope, y, graph.constant(f"{scope}/ceiling", np.array(self.ceiling, np.float32)))
        if self.threshold and self.slope:
            below = graph.value("Relu", scope, graph.value("Sub", scope, least, x))
            steep = graph.constant(f"{scope}/slope", np.array(self.slope, np.float32))
            y = graph.value("Sub", scope, y, graph.value("Mul", scope, below, steep))
        return y


def _identity(function: Keras) -> tuple[str, str]:
    """The function's name and framework. The name of another package's function has its module, so no table has it."""
    module, name = function.__module__, function.__name__
    framework = _FRAMEWORKS.get(module.partition(".")[0])
    # Keras 2 writes log_softmax and reads it as TensorFlow's log_softmax_v2.
    name = name.removesuffix("_v2")
    return (name, framework) if framework else (f"{module}.{name}", "")
