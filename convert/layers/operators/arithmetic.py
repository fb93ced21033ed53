"""Operators on the values of tensors: between two of them, on each value, and over axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from convert.errors import Refused
from convert.graph import GraphBuilder, Tensor
from convert.layers import activations
from convert.layers.calls import Argument, Constant, Value
from convert.layers.operators.axes import axes_of, axis_of

Emit: TypeAlias = Callable[..., Any]

_FOLDED: dict[str, Callable[[Constant, Constant], Constant]] = {
    "Add": np.add,
    "Div": np.true_divide,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mul": np.multiply,
    "Pow": np.power,
    "Sub": np.subtract,
}
_MATRIX_RANK = 2


def binary(op: str) -> Emit:
    """An ONNX operator between two tensors, or a tensor and a constant."""

    def emit(graph: GraphBuilder, scope: str, x: Argument, y: Argument) -> Value:
        given = [v if isinstance(v, Tensor) else np.asarray(v) for v in (x, y)]
        tensors = [v for v in given if isinstance(v, Tensor)]
        if not tensors:
            return _folded(scope, op, *(np.asarray(v) for v in (x, y)))
        rank = len(tensors[0].shape)
        if len({len(t.shape) for t in tensors}) > 1:
            shapes = [t.shape for t in tensors]
            raise Refused.at(scope, f"an operator on shapes {shapes} cannot be converted, only on equally many axes")
        if len(tensors) == 1 and all(v.size == 1 and v.ndim == 0 for v in given if not isinstance(v, Tensor)):
            (base,) = tensors  # the layout does not matter
        else:
            given = [graph.batch_major(v) if isinstance(v, Tensor) else v for v in given]
            base = graph.batch_major(tensors[0])
        names, shapes = [], []
        for v in given:
            names.append(v.name if isinstance(v, Tensor) else graph.constant(f"{scope}/constant", _float32(scope, v)))
            shapes.append(v.shape if isinstance(v, Tensor) else _inner(scope, v, rank))
        shape = tuple(int(n) for n in np.broadcast_shapes(*shapes))
        return replace(base, name=graph.value(op, scope, *names), shape=shape, mask=None)

    return emit


def each(op: str, **attributes: float) -> Emit:
    """An ONNX operator on each value."""
    return lambda graph, scope, x: _mapped(x, graph.value(op, scope, tensor(scope, x).name, **attributes))


def activation(name: str) -> Emit:
    """An activation of the table whose ONNX nodes do not depend on the framework."""

    def emit(graph: GraphBuilder, scope: str, x: Argument) -> Value:
        return _mapped(x, activations.named(graph, scope, tensor(scope, x).name, name))

    return emit


def square(graph: GraphBuilder, scope: str, x: Argument) -> Value:
    """x * x."""
    name = tensor(scope, x).name
    return _mapped(x, graph.value("Mul", scope, name, name))


def one_over_root(graph: GraphBuilder, scope: str, x: Argument) -> Value:
    """1 / sqrt(x)."""
    root = graph.value("Sqrt", scope, tensor(scope, x).name)
    return _mapped(x, graph.value("Reciprocal", scope, root))


def log_of_one_more(graph: GraphBuilder, scope: str, x: Argument) -> Value:
    """log(1 + x)."""
    more = graph.value("Add", scope, tensor(scope, x).name, graph.constant("float_1", np.array(1.0, np.float32)))
    return _mapped(x, graph.value("Log", scope, more))


def gelu(graph: GraphBuilder, scope: str, x: Argument, *, approximate: bool = False) -> Value:
    """The exact form, or 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."""
    name = tensor(scope, x).name
    if not approximate:
        return _mapped(x, activations.named(graph, scope, name, "gelu"))
    half, one, root, cube = (
        graph.constant(f"float_{n:g}", np.array(n, np.float32)) for n in (0.5, 1.0, (2.0 / np.pi) ** 0.5, 0.044715)
    )
    bend = graph.value("Mul", scope, cube, graph.value("Mul", scope, name, graph.value("Mul", scope, name, name)))
    inner = graph.value("Mul", scope, root, graph.value("Add", scope, name, bend))
    factor = graph.value("Add", scope, one, graph.value("Tanh", scope, inner))
    return _mapped(x, graph.value("Mul", scope, graph.value("Mul", scope, half, name), factor))


def silu(graph: GraphBuilder, scope: str, x: Argument, beta: float = 1.0) -> Value:
    """x * sigmoid(x)."""
    if beta != 1.0:
        raise Refused.at(scope, f"silu with beta={beta} cannot be converted")
    return _mapped(x, activations.named(graph, scope, tensor(scope, x).name, "silu"))


def relu(  # noqa: PLR0913 - the options of keras.activations.relu
    graph: GraphBuilder,
    scope: str,
    x: Argument,
    *,
    slope: float = 0.0,
    ceiling: float | None = None,
    threshold: float = 0.0,
) -> Value:
    """A ReLU with a slope below zero, limited to `ceiling`."""
    return _mapped(x, activations.Relu(slope, ceiling, threshold).apply(graph, scope, tensor(scope, x).name))


def leaky_relu(graph: GraphBuilder, scope: str, x: Argument, *, slope: float = 0.2) -> Value:
    """A ReLU with a slope below zero, which TensorFlow leaves out of a file if it is 0.2."""
    return relu(graph, scope, x, slope=slope)


def elu(graph: GraphBuilder, scope: str, x: Argument, alpha: float = 1.0) -> Value:
    """alpha * (exp(x) - 1) below zero."""
    return _mapped(x, graph.value("Elu", scope, tensor(scope, x).name, alpha=float(alpha)))


def clip(graph: GraphBuilder, scope: str, x: Argument, low: Argument, high: Argument) -> Value:
    """Limit each value."""
    if any(isinstance(n, Tensor) or np.size(n) != 1 for n in (low, high)):
        raise Refused.at(scope, "clipping to tensors cannot be converted, only to numbers")
    names = [
        graph.constant(f"{scope}/{name}", _float32(scope, np.asarray(n)).reshape(()))
        for name, n in (("low", low), ("high", high))
    ]
    return _mapped(x, graph.value("Clip", scope, tensor(scope, x).name, *names))


def over_axis(op: str) -> Emit:
    """A softmax over one axis."""

    def emit(graph: GraphBuilder, scope: str, x: Argument, axis: Argument = -1) -> Value:
        given = graph.batch_major(tensor(scope, x))
        place = axis_of(scope, given, -1 if axis is None else axis)
        return Tensor(graph.value(op, scope, given.name, axis=place), given.shape)

    return emit


def reduction(op: str) -> Emit:
    """A sum, mean, product or extreme over axes, not over the batch."""

    def emit(graph: GraphBuilder, scope: str, x: Argument, axis: Argument = None, *, keepdims: bool = False) -> Value:
        x = graph.batch_major(tensor(scope, x))
        axes = axes_of(scope, x, axis)
        keep = int(bool(keepdims))
        if op == "ReduceSum":
            listed = graph.constant(f"{scope}/axes", np.array(axes))
            name = graph.value(op, scope, x.name, listed, keepdims=keep)
        else:
            name = graph.value(op, scope, x.name, axes=axes, keepdims=keep)
        kept = [(1 if i + 1 in axes else n) for i, n in enumerate(x.shape) if keep or i + 1 not in axes]
        return Tensor(name, tuple(kept))

    return emit


def variance(*, root: bool) -> Emit:
    """The mean square of the differences from the mean, or its root."""

    def emit(graph: GraphBuilder, scope: str, x: Argument, axis: Argument = None, *, keepdims: bool = False) -> Value:
        x = graph.batch_major(tensor(scope, x))
        mean = reduction("ReduceMean")(graph, scope, x, axis, keepdims=True)
        shifted = graph.value("Sub", scope, x.name, mean.name)
        squares = replace(x, name=graph.value("Mul", scope, shifted, shifted))
        result = tensor(scope, reduction("ReduceMean")(graph, scope, squares, axis, keepdims=keepdims))
        return replace(result, name=graph.value("Sqrt", scope, result.name)) if root else result

    return emit


def matmul(  # noqa: PLR0913 - the options of tf.linalg.matmul
    graph: GraphBuilder,
    scope: str,
    x: Argument,
    y: Argument,
    *,
    turn_x: bool = False,
    turn_y: bool = False,
) -> Value:
    """The product of matrices, one for each window, or of tensors with one constant matrix."""
    x = graph.batch_major(tensor(scope, x))
    rank = len(x.shape)
    if turn_x:
        x = _turned(graph, scope, x)
    if isinstance(y, Tensor):
        y = graph.batch_major(y)
        if rank < _MATRIX_RANK or len(y.shape) != rank:
            raise Refused.at(scope, f"a product of shapes {[x.shape, y.shape]} cannot be converted")
        y = _turned(graph, scope, y) if turn_y else y
        name, width, batch = y.name, y.shape[-1], np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    else:
        matrix = _float32(scope, np.asarray(y))
        matrix = matrix.swapaxes(-1, -2) if turn_y and matrix.ndim >= _MATRIX_RANK else matrix
        if matrix.ndim != _MATRIX_RANK:
            raise Refused.at(scope, f"a product with a constant of {matrix.ndim} axes cannot be converted, only of two")
        name, width, batch = graph.constant(f"{scope}/matrix", matrix), matrix.shape[-1], x.shape[:-2]
    shape = (*(int(n) for n in batch), *x.shape[-2:-1], int(width))
    return Tensor(graph.value("MatMul", scope, x.name, name), shape)


def tensor(scope: str, value: Argument) -> Tensor:
    """The value, which must be a tensor of the graph."""
    if not isinstance(value, Tensor):
        raise Refused.at(scope, "an operator on constants alone cannot be converted")
    return value


def _turned(graph: GraphBuilder, scope: str, x: Tensor) -> Tensor:
    """Swap the last two axes."""
    if len(x.shape) < _MATRIX_RANK:
        raise Refused.at(scope, f"the transpose of the shape {x.shape} cannot be converted")
    order = [*range(len(x.shape) - 1), len(x.shape), len(x.shape) - 1]
    turned = graph.value("Transpose", scope, x.name, perm=order)
    return Tensor(turned, (*x.shape[:-2], x.shape[-1], x.shape[-2]))


def _mapped(x: Tensor, name: str) -> Tensor:
    return replace(x, name=name, mask=None)


def _folded(scope: str, op: str, x: Constant, y: Constant) -> Constant:
    # A size of -1 stands for the batch (convert.layers.operators.axes.BATCH), with which nothing can be computed.
    if any(v.dtype.kind in "iu" and (v < 0).any() for v in (x, y)):
        raise Refused.at(scope, "arithmetic with the size of the batch cannot be converted")
    return np.asarray(_FOLDED[op](x, y))


def _float32(scope: str, values: Constant) -> Constant:
    if values.dtype.kind not in "iufb":
        raise Refused.at(scope, f"a constant of {values.dtype} cannot be converted")
    return values.astype(np.float32)


def _inner(scope: str, constant: Constant, rank: int) -> tuple[int, ...]:
    """The shape of a constant without the batch, which must not have more axes than the tensor."""
    shape = constant.shape
    if len(shape) <= rank:
        return shape
    if len(shape) > rank + 1 or shape[0] != 1:
        raise Refused.at(scope, f"a constant of the shape {shape} cannot be converted here")
    return shape[1:]
