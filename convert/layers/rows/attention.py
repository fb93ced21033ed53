"""Attention: each step of the query is a mean of the values' steps, weighted by how well their keys fit.

Sources: the layers' code in both frameworks, and Vaswani et al., "Attention is all you need" (2017), for
softmax(query · key / sqrt(key_dim)) · value in each head.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from convert.errors import Refused
from convert.graph import BOOL, FLOAT, GraphBuilder, Keras, Tensor
from convert.layers.calls import Argument, Given, Value
from convert.layers.rows.reshaping import reshaped

_CALL = ("inputs", "mask", "training", "return_attention_scores", "use_causal_mask")
_MULTI_HEAD_CALL = ("query", "value", "key", "attention_mask")
_OPTIONS = ("return_attention_scores", "training", "use_causal_mask")
# What replaces the score of a step that does not count.
_EXCLUDED, _EXCLUDED_FUSED = -1e9, -0.7 * float(np.finfo(np.float32).max)
_RANK = 2  # steps and features, without the batch


def _multi_head(graph: GraphBuilder, scope: str, layer: Keras, given: Given) -> list[Value]:
    """Convert MultiHeadAttention. Shapes: query (batch, T, features), value and key (batch, S, features)."""
    found = given.bound(scope, "MultiHeadAttention", (*_MULTI_HEAD_CALL, *_OPTIONS))
    _check_options(scope, layer, found)
    query, value, key = (
        _steps(graph, scope, layer, x)
        for x in (found["query"], found["value"], found["value"] if found.get("key") is None else found["key"])
    )
    if tuple(layer._attention_axes) not in ((1,), (-2,)):  # noqa: SLF001 - Keras 2 has no public form
        raise Refused.at(scope, f"MultiHeadAttention over the axes {list(layer._attention_axes)} cannot be converted")  # noqa: SLF001
    if getattr(layer, "_use_gate", False):
        raise Refused.at(scope, "MultiHeadAttention with use_gate=True cannot be converted")
    heads, width = layer._num_heads, layer._key_dim  # noqa: SLF001
    q, k, v = (
        _projected(graph, f"{scope}/{role}", x, dense, scale)
        for role, x, dense, scale in (
            ("query", query, layer._query_dense, width**-0.5),  # noqa: SLF001
            ("key", key, layer._key_dense, 1.0),  # noqa: SLF001
            ("value", value, layer._value_dense, 1.0),  # noqa: SLF001
        )
    )
    turned = graph.value("Transpose", scope, k, perm=[0, 2, 3, 1])
    scores = graph.value("MatMul", scope, graph.value("Transpose", scope, q, perm=[0, 2, 1, 3]), turned)
    masks = _masks(graph, scope, [(query.mask, 2), (value.mask, 1), (key.mask, 1)])
    if order := _order(layer, query.shape[0], value.shape[0], causal=bool(found.get("use_causal_mask"))):
        masks.append(graph.constant(f"{scope}/order", order[0]))
    weights = _softmax(graph, scope, layer, scores, masks, found.get("attention_mask"))
    mixed = graph.value("MatMul", scope, weights, graph.value("Transpose", scope, v, perm=[0, 2, 1, 3]))
    mixed = graph.value("Transpose", scope, mixed, perm=[0, 2, 1, 3])
    together = reshaped(graph, f"{scope}/heads", mixed, (query.shape[0], heads * layer._value_dim))  # noqa: SLF001
    kernel = layer._output_dense.kernel.numpy()  # noqa: SLF001 - (heads, value_dim, *output_shape)
    y = graph.value("MatMul", scope, together, graph.constant(f"{scope}/output/kernel", _matrix(kernel, rows=2)))
    if layer._use_bias:  # noqa: SLF001
        bias = layer._output_dense.bias.numpy().reshape(-1)  # noqa: SLF001
        y = graph.value("Add", scope, y, graph.constant(f"{scope}/output/bias", bias))
    shape = (query.shape[0], *kernel.shape[2:])
    y = reshaped(graph, scope, y, shape) if len(shape) > _RANK else y
    return [Tensor(y, shape, mask=query.mask)]


def _projected(graph: GraphBuilder, scope: str, x: Tensor, dense: Keras, scale: float) -> str:
    """(batch, steps, heads, width) of (batch, steps, features)."""
    kernel = dense.kernel.numpy()
    factor = np.float32(scale)
    weights = graph.constant(f"{scope}/kernel", _matrix(kernel, rows=1) * factor)
    y = graph.value("MatMul", scope, x.name, weights)
    if dense.bias is not None:
        y = graph.value("Add", scope, y, graph.constant(f"{scope}/bias", dense.bias.numpy().reshape(-1) * factor))
    return reshaped(graph, scope, y, (x.shape[0], *kernel.shape[1:]))


def _matrix(kernel: Argument, rows: int) -> Argument:
    return kernel.reshape(prod(kernel.shape[:rows]), -1)


def _order(layer: Keras, length: int, others: int, *, causal: bool) -> list[Argument]:
    """The steps that a step may see by their order: (1, 1, T, S). Empty if it may see all."""
    rows, columns = np.ogrid[:length, :others]
    seen = [rows >= columns] if causal else []
    if (window := getattr(layer, "_sliding_window", None)) is not None:
        seen.append(np.abs(rows - columns) < window)
    return [np.logical_and.reduce(seen)[None, None]] if seen else []


def _masks(graph: GraphBuilder, scope: str, masks: Sequence[tuple[str | None, int]]) -> list[str]:
    """Masks (batch, steps) for scores (batch, heads, T, S): as rows if the first new axis is 2, as columns if it is 1.

    A mask of the value that is also the key's is used once.
    """
    found = dict.fromkeys((mask, kind) for mask, kind in masks if mask is not None)
    axes = {1: np.array([1, 2]), 2: np.array([1, 3])}
    return [
        graph.value("Unsqueeze", scope, mask, graph.constant(f"{scope}/axes_{kind}", axes[kind]))
        for mask, kind in found
    ]


def _softmax(  # noqa: PLR0913, PLR0917 - the parts of a masked softmax
    graph: GraphBuilder, scope: str, layer: Keras, scores: str, masks: list[str], given: Argument
) -> str:
    """The weights of the values. Scores of steps that do not count are replaced as each framework does."""
    keras_2 = type(layer).__module__.startswith("tf_keras")
    extra = _attention_mask(graph, scope, given)
    if keras_2 and extra is not None and not masks:  # the numbers of a mask that is alone are used as they are
        return graph.value("Softmax", scope, _lowered(graph, scope, scores, extra), axis=-1)
    if extra is not None:
        masks = [*masks, graph.value("Cast", scope, extra, to=BOOL)]
    if not masks:
        return graph.value("Softmax", scope, scores, axis=-1)
    counts = masks[0]
    for mask in masks[1:]:
        counts = graph.value("And", scope, counts, mask)
    robust = getattr(layer, "_softmax_robust_masking", False)
    if keras_2 and not robust:
        numbers = graph.value("Cast", scope, counts, to=FLOAT)
        return graph.value("Softmax", scope, _lowered(graph, scope, scores, numbers), axis=-1)
    explicit = keras_2 or layer.dropout > 0.0  # Keras 3 has a fused form for layers without dropout
    excluded = graph.constant(f"{scope}/excluded", np.array(_EXCLUDED if explicit else _EXCLUDED_FUSED, np.float32))
    weights = graph.value("Softmax", scope, graph.value("Where", scope, counts, scores, excluded), axis=-1)
    if keras_2 or not explicit:
        return weights
    return graph.value("Where", scope, counts, weights, graph.constant("zero", np.array(0.0, np.float32)))


def _lowered(graph: GraphBuilder, scope: str, scores: str, mask: str) -> str:
    """scores - 1e9 (1 - mask)."""
    missing = graph.value("Sub", scope, graph.constant("float_1", np.array(1.0, np.float32)), mask)
    term = graph.value("Mul", scope, missing, graph.constant(f"{scope}/excluded", np.array(_EXCLUDED, np.float32)))
    return graph.value("Add", scope, scores, term)


def _attention_mask(graph: GraphBuilder, scope: str, given: Argument) -> str | None:
    """The argument attention_mask, (T, S) or (batch, T, S), as numbers (batch, 1, T, S)."""
    if given is None:
        return None
    if isinstance(given, Tensor):
        if len(given.shape) != _RANK:
            raise Refused.at(scope, f"attention_mask of the shape {given.shape} cannot be converted")
        axes = graph.constant("integers_1", np.array([1]))
        return graph.value("Unsqueeze", scope, graph.batch_major(given).name, axes)
    constant = np.asarray(given, np.float32)
    if constant.ndim > _RANK + 1 or (constant.ndim == _RANK + 1 and len(constant) != 1):
        raise Refused.at(scope, f"attention_mask of the shape {constant.shape} cannot be converted")
    return graph.constant(f"{scope}/attention_mask", constant.reshape(1, 1, *constant.shape[-2:]))


def _dense_attention(graph: GraphBuilder, scope: str, layer: Keras, given: Given) -> list[Value]:
    """Convert Attention and AdditiveAttention, which are called with [query, value] or [query, value, key]."""
    found = given.bound(scope, type(layer).__name__, _CALL)
    _check_options(scope, layer, found)
    query, value, *others = (_steps(graph, scope, layer, x) for x in found["inputs"])
    key = others[0] if others else value
    scores = _scores(graph, scope, layer, query, key)
    masks = []
    if value.mask is not None:
        axes = graph.constant("integers_1", np.array([1]))
        masks.append(graph.value("Unsqueeze", scope, value.mask, axes))
    if found.get("use_causal_mask") or getattr(layer, "causal", False):
        order = np.tri(query.shape[0], key.shape[0], dtype=bool)[None]
        masks.append(graph.constant(f"{scope}/order", order))
    if len(masks) > 1:
        masks = [graph.value("And", scope, *masks)]
    if masks:
        lower = graph.value("Add", scope, scores, graph.constant(f"{scope}/excluded", np.array(_EXCLUDED, np.float32)))
        scores = graph.value("Where", scope, masks[0], scores, lower)
    y = graph.value("MatMul", scope, graph.value("Softmax", scope, scores, axis=-1), value.name)
    if query.mask is not None:
        shown = graph.value("Unsqueeze", scope, query.mask, graph.constant("integers_2", np.array([2])))
        y = graph.value("Where", scope, shown, y, graph.constant("zero", np.array(0.0, np.float32)))
    return [Tensor(y, (query.shape[0], value.shape[-1]), mask=query.mask)]


def _scores(graph: GraphBuilder, scope: str, layer: Keras, query: Tensor, key: Tensor) -> str:
    """How well each step of the key fits each step of the query: (batch, T, S)."""
    additive = type(layer).__name__ == "AdditiveAttention"
    scale = None if layer.scale is None else graph.constant(f"{scope}/scale", layer.scale.numpy())
    if not additive and layer.score_mode == "dot":
        scores = graph.value("MatMul", scope, query.name, graph.value("Transpose", scope, key.name, perm=[0, 2, 1]))
        return scores if scale is None else graph.value("Mul", scope, scores, scale)
    rows, columns = (
        graph.value("Unsqueeze", scope, x.name, graph.constant(f"integers_{axis}", np.array([axis])))
        for x, axis in ((query, 2), (key, 1))
    )
    both = graph.value("Add", scope, rows, columns)
    if not additive and scale is not None:
        both = graph.value("Mul", scope, scale, both)
    both = graph.value("Tanh", scope, both)
    if additive and scale is not None:
        both = graph.value("Mul", scope, scale, both)
    scores = graph.value("ReduceSum", scope, both, graph.constant("integers_3", np.array([3])), keepdims=0)
    if additive:
        return scores
    weight = graph.constant(f"{scope}/concat_score_weight", layer.concat_score_weight.numpy())
    return graph.value("Mul", scope, weight, scores)


def _check_options(scope: str, layer: Keras, found: dict[str, Argument]) -> None:
    for option in ("training", "return_attention_scores"):
        if found.get(option) not in (None, False):
            raise Refused.at(scope, f"{type(layer).__name__} is called with {option}=True, which cannot be converted")


def _steps(graph: GraphBuilder, scope: str, layer: Keras, x: Argument) -> Tensor:
    if not isinstance(x, Tensor) or len(x.shape) != _RANK:
        found = f"the shape {x.shape}" if isinstance(x, Tensor) else "a constant"
        raise Refused.at(scope, f"{type(layer).__name__} of {found} cannot be converted, only of (steps, features)")
    return graph.batch_major(x)


def _dot(graph: GraphBuilder, scope: str, layer: Keras, given: Given) -> list[Value]:
    """Products over one axis of each input, without or with steps."""
    one, other = (graph.batch_major(x) for x in given.tensors(scope, layer))
    axes = [layer.axes] * 2 if isinstance(layer.axes, int) else list(layer.axes)
    first, second = (axis % (len(x.shape) + 1) for axis, x in zip(axes, (one, other), strict=True))
    if max(len(one.shape), len(other.shape)) > _RANK or 0 in (first, second):
        raise Refused.at(
            scope, f"Dot over the axes {axes} of the shapes {[one.shape, other.shape]} cannot be converted"
        )
    if layer.normalize:
        one, other = (_unit(graph, scope, layer, x, axis) for x, axis in ((one, first), (other, second)))
    rows, columns = one.name, other.name
    if len(one.shape) < _RANK:
        rows = graph.value("Unsqueeze", scope, rows, graph.constant("integers_1", np.array([1])))
    elif first == 1:
        rows = graph.value("Transpose", scope, rows, perm=[0, 2, 1])
    if len(other.shape) < _RANK:
        columns = graph.value("Unsqueeze", scope, columns, graph.constant("integers_2", np.array([2])))
    elif second == _RANK:
        columns = graph.value("Transpose", scope, columns, perm=[0, 2, 1])
    y = graph.value("MatMul", scope, rows, columns)
    kept = [n for x, axis in ((one, first), (other, second)) for i, n in enumerate(x.shape, 1) if i != axis]
    if len(one.shape) == _RANK and len(other.shape) == _RANK:
        return [Tensor(y, tuple(kept))]
    removed = 1 if len(one.shape) < _RANK else 2
    y = graph.value("Squeeze", scope, y, graph.constant(f"integers_{removed}", np.array([removed])))
    return [Tensor(y, tuple(kept) or (1,))]


def _unit(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor, axis: int) -> Tensor:
    """x / sqrt(sum of squares), with a floor for a sum of 0."""
    floor = 1e-12 if type(layer).__module__.startswith("tf_keras") else 1e-14
    squares = graph.value("Mul", scope, x.name, x.name)
    total = graph.value("ReduceSum", scope, squares, graph.constant(f"integers_{axis}", np.array([axis])), keepdims=1)
    total = graph.value("Max", scope, total, graph.constant(f"{scope}/floor", np.array(floor, np.float32)))
    return Tensor(graph.value("Div", scope, x.name, graph.value("Sqrt", scope, total)), x.shape)


ROWS = {
    "AdditiveAttention": _dense_attention,
    "Attention": _dense_attention,
    "Dot": _dot,
    "MultiHeadAttention": _multi_head,
}
