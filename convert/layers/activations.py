"""Keras' activation functions as ONNX nodes, and as the activations of ONNX's recurrent nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras


class Fused(NamedTuple):
    """An activation inside LSTM or GRU. ONNX lists alphas and betas only for functions that have one."""

    name: str
    alpha: float | None = None
    beta: float | None = None


# The two slopes of `hard_sigmoid`: Keras 3 redefined clip(0.2 x + 0.5, 0, 1) as relu6(x + 3) / 6.
_HARD_SLOPE = {"tf_keras": 0.2, "keras": 1.0 / 6.0}

# The framework of a function by its package. Keras 2 takes leaky_relu from TensorFlow.
_FRAMEWORKS = {"tf_keras": "tf_keras", "tensorflow": "tf_keras", "keras": "keras"}


def _gelu(graph: GraphBuilder, scope: str, x: str) -> str:
    """0.5 x (1 + erf(x / sqrt 2))."""
    error = graph.value("Erf", scope, graph.value("Div", scope, x, _number(graph, 2.0**0.5)))
    half = graph.value("Mul", scope, x, _number(graph, 0.5))
    return graph.value("Mul", scope, half, graph.value("Add", scope, error, _number(graph, 1.0)))


def _number(graph: GraphBuilder, value: float) -> str:
    return graph.constant(f"float_{value:g}", np.array(value, np.float32))


_NODES: dict[str, Callable[[GraphBuilder, str, str], str]] = {
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
}
_NODES |= {
    "celu": _NODES["elu"],
    "exponential": lambda g, scope, x: g.value("Exp", scope, x),
    "hard_silu": lambda g, scope, x: g.value(
        "Mul", scope, x, g.value("HardSigmoid", scope, x, alpha=_HARD_SLOPE["keras"], beta=0.5)
    ),
    "hard_tanh": lambda g, scope, x: g.value("Clip", scope, x, _number(g, -1.0), _number(g, 1.0)),
    "gelu": _gelu,
    "log_sigmoid": lambda g, scope, x: g.value("Neg", scope, g.value("Softplus", scope, g.value("Neg", scope, x))),
    "log_softmax": lambda g, scope, x: g.value("LogSoftmax", scope, x, axis=-1),
    "mish": lambda g, scope, x: g.value("Mul", scope, x, g.value("Tanh", scope, g.value("Softplus", scope, x))),
    "relu6": lambda g, scope, x: g.value("Clip", scope, x, _number(g, 0.0), _number(g, 6.0)),
    "tanh_shrink": lambda g, scope, x: g.value("Sub", scope, x, g.value("Tanh", scope, x)),
}
_NODES["hard_swish"] = _NODES["hard_silu"]
_NODES["swish"] = _NODES["silu"]

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


def is_known(name: str) -> bool:
    """Whether this function can be converted, so that a file may name it."""
    return name in _NODES or name == "hard_sigmoid"


def apply(graph: GraphBuilder, scope: str, x: str, function: Keras) -> str:
    """Add the function's nodes. Raises Refused for a function that is not in the table."""
    name, framework = _identity(function)
    if name == "hard_sigmoid":
        return graph.value("HardSigmoid", scope, x, alpha=_HARD_SLOPE[framework], beta=0.5)
    if name not in _NODES:
        raise Refused.at(scope, f"activation {name!r} cannot be converted; known: {_names(_NODES)}")
    return _NODES[name](graph, scope, x)


def named(graph: GraphBuilder, scope: str, x: str, name: str) -> str:
    """Add the nodes of a function that is the same in both frameworks."""
    return _NODES[name](graph, scope, x)


def fused(scope: str, function: Keras) -> Fused:
    """The function as an activation of a recurrent node. Raises Refused for one that such nodes do not have."""
    name, framework = _identity(function)
    if name == "hard_sigmoid":
        return Fused("HardSigmoid", _HARD_SLOPE[framework], 0.5)
    if name not in _FUSED:
        raise Refused.at(scope, f"activation {name!r} cannot run inside a recurrent layer; known: {_names(_FUSED)}")
    return _FUSED[name]


def clipped_relu(graph: GraphBuilder, scope: str, x: str, slope: float, ceiling: float | None) -> str:
    """Add a ReLU with the given slope below zero, limited to `ceiling`."""
    y = graph.value("LeakyRelu", scope, x, alpha=slope) if slope else graph.value("Relu", scope, x)
    if ceiling is None:
        return y
    return graph.value("Min", scope, y, graph.constant(f"{scope}/ceiling", np.array(ceiling, np.float32)))


def _identity(function: Keras) -> tuple[str, str]:
    """The function's name and framework. The name of another package's function has its module, so no table has it."""
    module, name = function.__module__, function.__name__
    framework = _FRAMEWORKS.get(module.partition(".")[0])
    return (name, framework) if framework else (f"{module}.{name}", "")


def _names(table: dict[str, Any]) -> str:
    return ", ".join(sorted([*table, "hard_sigmoid"]))
