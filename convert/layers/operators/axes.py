"""Operators on the axes of tensors: shapes, parts, orders."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from convert.errors import Refused
from convert.graph import GraphBuilder, Tensor
from convert.layers.calls import Argument, Constant, Value
from convert.layers.rows.reshaping import reshaped

# The size of the batch in a shape. It is not known, but Reshape and Tile accept it.
BATCH = -1


def axis_of(scope: str, x: Tensor, axis: Argument, extra: int = 0) -> int:
    """An axis of `x`, or of a tensor with `extra` more axes, counted with the batch, which it cannot be."""
    rank = len(x.shape) + 1 + extra
    found = np.asarray(axis)
    if found.dtype.kind not in "iu" or found.size != 1 or not -rank <= found.item() < rank or found.item() % rank == 0:
        raise Refused.at(scope, f"an operator along axis {axis} of the shape (batch, {_listed(x)}) cannot be converted")
    return int(found.item() % rank)


def axes_of(scope: str, x: Tensor, axis: Argument) -> list[int]:
    """One or more axes, counted with the batch, which cannot be among them. None stands for all axes."""
    if axis is None:
        raise Refused.at(scope, "an operator over all axes, and so over the batch, cannot be converted")
    return sorted({axis_of(scope, x, i) for i in np.asarray(axis).reshape(-1).tolist()})


def shape_of(_graph: GraphBuilder, _scope: str, x: Argument) -> Constant:
    """The sizes of all axes."""
    return np.array([BATCH, *x.shape] if isinstance(x, Tensor) else np.asarray(x).shape)


def counting(
    _graph: GraphBuilder, scope: str, start: Argument, limit: Argument = None, delta: Argument = 1
) -> Constant:
    """The numbers from `start` (0 if it is the only argument) to `limit`."""
    first, end = (0, start) if limit is None else (start, limit)
    values = [np.asarray(BATCH if isinstance(v, Tensor) else v) for v in (first, end, delta)]
    if any(v.size != 1 for v in values) or values[1] == BATCH:
        raise Refused.at(scope, "a range of this length cannot be converted")
    return np.arange(*(v.item() for v in values))


def cast(_graph: GraphBuilder, scope: str, x: Argument, dtype: Argument) -> Value:
    """Tensors stay float32."""
    name = getattr(dtype, "name", dtype)
    if not isinstance(x, Tensor) and name in {"float32", "int32", "int64"}:
        return np.asarray(x).astype(name)
    if name != "float32" or not isinstance(x, Tensor):
        raise Refused.at(scope, f"a cast to {name} cannot be converted")
    return x


def same(_graph: GraphBuilder, _scope: str, x: Argument) -> Value:
    """An operator without effect in inference."""
    return Tensor(x.name, x.shape, x.time_major) if isinstance(x, Tensor) else np.asarray(x)


def expand_dims(graph: GraphBuilder, scope: str, x: Argument, axis: Argument) -> Value:
    """Add an axis of size 1."""
    if not isinstance(x, Tensor):
        return np.expand_dims(np.asarray(x), axis)
    x = graph.batch_major(x)
    place = axis_of(scope, x, axis, extra=1)
    name = graph.value("Unsqueeze", scope, x.name, graph.constant(f"{scope}/axes", np.array([place])))
    return Tensor(name, (*x.shape[: place - 1], 1, *x.shape[place - 1 :]))


def squeeze(graph: GraphBuilder, scope: str, x: Argument, axis: Argument = None) -> Value:
    """Remove axes of size 1."""
    if not isinstance(x, Tensor):
        return np.squeeze(np.asarray(x), None if axis is None else tuple(np.asarray(axis).reshape(-1).tolist()))
    x = graph.batch_major(x)
    axes = axes_of(scope, x, axis)
    if any(x.shape[i - 1] != 1 for i in axes):
        raise Refused.at(scope, f"axes {axes} of the shape (batch, {_listed(x)}) cannot be removed")
    name = graph.value("Squeeze", scope, x.name, graph.constant(f"{scope}/axes", np.array(axes)))
    return Tensor(name, tuple(n for i, n in enumerate(x.shape, 1) if i not in axes))


def reshape(graph: GraphBuilder, scope: str, x: Argument, shape: Argument) -> Value:
    """Give each window another shape."""
    wanted = [BATCH if n is None else int(np.asarray(n).item()) for n in np.asarray(shape, object).reshape(-1)]
    if not isinstance(x, Tensor):
        return np.reshape(np.asarray(x), wanted)
    inner = tuple(wanted[1:])
    if BATCH in inner and inner.count(BATCH) == 1:
        rest = prod(n for n in inner if n != BATCH)
        inner = tuple((prod(x.shape) // rest if rest else 0) if n == BATCH else n for n in inner)
    if not wanted or wanted[0] != BATCH or prod(inner) != prod(x.shape):
        raise Refused.at(
            scope, f"a reshape of (batch, {_listed(x)}) to {wanted} cannot be converted, only of each window"
        )
    return Tensor(reshaped(graph, scope, graph.batch_major(x).name, inner), inner)


def transpose(graph: GraphBuilder, scope: str, x: Argument, order: Argument = None) -> Value:
    """Reorder the axes of each window."""
    x = graph.batch_major(_tensor(scope, x))
    rank = len(x.shape) + 1
    found = [] if order is None else [int(i) % rank for i in np.asarray(order).reshape(-1)]
    if sorted(found) != [*range(rank)] or found[0] != 0:
        raise Refused.at(scope, f"a transpose to the order {order} cannot be converted, only one that keeps the batch")
    return Tensor(graph.value("Transpose", scope, x.name, perm=found), tuple(x.shape[i - 1] for i in found[1:]))


def swap_axes(graph: GraphBuilder, scope: str, x: Argument, one: Argument, other: Argument) -> Value:
    """Swap two axes."""
    x = _tensor(scope, x)
    order = [*range(len(x.shape) + 1)]
    first, second = axis_of(scope, x, one), axis_of(scope, x, other)
    order[first], order[second] = second, first
    return transpose(graph, scope, x, order)


def concatenate(graph: GraphBuilder, scope: str, values: Argument, axis: Argument = 0) -> Value:
    """Join along an axis."""
    if not any(isinstance(v, Tensor) for v in values):
        return np.concatenate([np.asarray(v) for v in values], axis)
    tensors = [graph.batch_major(_tensor(scope, v)) for v in values]
    place = axis_of(scope, tensors[0], axis)
    shape = list(tensors[0].shape)
    shape[place - 1] = sum(t.shape[place - 1] for t in tensors)
    return Tensor(graph.value("Concat", scope, *(t.name for t in tensors), axis=place), tuple(shape))


def stack(graph: GraphBuilder, scope: str, values: Argument, axis: Argument = 0) -> Value:
    """Join along a new axis."""
    if not any(isinstance(v, Tensor) for v in values):
        return np.stack([np.asarray(v) for v in values], axis)
    return concatenate(graph, scope, [expand_dims(graph, scope, _tensor(scope, v), axis) for v in values], axis)


def split(graph: GraphBuilder, scope: str, x: Argument, sizes: Argument, axis: Argument = 0) -> list[Value]:
    """Split into so many equal parts, or into parts of these sizes."""
    x = graph.batch_major(_tensor(scope, x))
    place = axis_of(scope, x, axis)
    length = x.shape[place - 1]
    parts = [length // sizes] * sizes if isinstance(sizes, int) and sizes > 0 else [int(n) for n in np.ravel(sizes)]
    if sum(parts) != length or min(parts) < 1:
        raise Refused.at(scope, f"a split of {length} values into {sizes} cannot be converted")
    names = graph.node(
        "Split", scope, [x.name, graph.constant(f"{scope}/sizes", np.array(parts))], outputs=len(parts), axis=place
    )
    shapes = ((*x.shape[: place - 1], n, *x.shape[place:]) for n in parts)
    return [Tensor(name, shape) for name, shape in zip(names, shapes, strict=True)]


def split_at(graph: GraphBuilder, scope: str, x: Argument, places: Argument, axis: Argument = 0) -> list[Value]:
    """Split into so many equal parts, or at these places."""
    if isinstance(places, int):
        return split(graph, scope, x, places, axis)
    length = _tensor(scope, x).shape[axis_of(scope, x, axis) - 1]
    ends = [0, *(int(n) for n in np.ravel(places)), length]
    return split(graph, scope, x, [b - a for a, b in pairwise(ends)], axis)


def unstack(graph: GraphBuilder, scope: str, x: Argument, num: Argument = None, axis: Argument = 0) -> list[Value]:
    """Split into parts of size 1, without their axis."""
    place = axis_of(scope, _tensor(scope, x), axis)
    length = x.shape[place - 1]
    if num not in (None, length):
        raise Refused.at(scope, f"a split of {length} values into {num} cannot be converted")
    return [squeeze(graph, scope, part, place) for part in split(graph, scope, x, length, place)]


def flip(graph: GraphBuilder, scope: str, x: Argument, axis: Argument = None) -> Value:
    """Reverse the order along axes."""
    x = graph.batch_major(_tensor(scope, x))
    parts = {axis: slice(None, None, -1) for axis in axes_of(scope, x, axis)}
    return _sliced(graph, scope, x, parts)


def tile(graph: GraphBuilder, scope: str, x: Argument, repeats: Argument) -> Value:
    """Repeat along the axes."""
    counts = [int(n) for n in np.ravel(repeats)]
    if not isinstance(x, Tensor):
        # The values for all windows are the same, and are broadcast where they are used.
        if counts and counts[0] == BATCH and np.shape(x)[:1] == (1,):
            counts[0] = 1
        if min(counts, default=1) < 1:
            raise Refused.at(scope, f"the repetition of a constant {counts} times cannot be converted")
        return np.tile(np.asarray(x), counts)
    if len(counts) != len(x.shape) + 1 or counts[0] != 1 or min(counts) < 1:
        raise Refused.at(scope, f"the repetition {counts} times along the axes cannot be converted")
    name = graph.value("Tile", scope, graph.batch_major(x).name, graph.constant(f"{scope}/repeats", np.array(counts)))
    return Tensor(name, tuple(n * count for n, count in zip(x.shape, counts[1:], strict=True)))


def get_item(graph: GraphBuilder, scope: str, x: Argument, key: Argument) -> Value:
    """x[key], with numbers, slices, ellipses and new axes, for example h[:, -1]."""
    keys = [_slice(k) for k in (key if isinstance(key, list | tuple) else [key])]
    if not isinstance(x, Tensor):
        return np.asarray(np.asarray(x)[tuple(keys)])
    rank = len(x.shape) + 1
    full = slice(None)
    missing = rank - sum(k is not None and k is not Ellipsis for k in keys)
    if keys.count(Ellipsis) == 0:
        keys.append(Ellipsis)
    at = keys.index(Ellipsis)
    keys[at : at + 1] = [full] * missing
    if missing < 0 or Ellipsis in keys or keys[0] != full or not all(isinstance(k, int | slice | None) for k in keys):
        raise Refused.at(scope, f"the part {key} of (batch, {_listed(x)}) cannot be converted")
    return _part(graph, scope, x, keys)


def _part(graph: GraphBuilder, scope: str, x: Tensor, keys: list[Any]) -> Tensor:
    of_axes = [k for k in keys if k is not None]
    parts = {i: k for i, k in enumerate(of_axes) if i and isinstance(k, slice) and k != slice(None)}
    numbers = {i: k for i, k in enumerate(of_axes) if isinstance(k, int)}
    if any(not -x.shape[i - 1] <= k < x.shape[i - 1] for i, k in numbers.items()):
        raise Refused.at(scope, f"the part {of_axes[1:]} of the shape {x.shape} does not exist")
    if x.time_major and 1 in numbers:  # one step of a recurrent layer's output: its other steps need not be turned
        step = graph.constant(f"{scope}/step", np.array(numbers.pop(1) % x.shape[0]))
        name = graph.value("Gather", scope, x.name, step, axis=0)
        return _part(graph, scope, Tensor(name, x.shape[1:]), [keys[0], *_without(keys[1:])])
    x = graph.batch_major(x)
    x = _sliced(graph, scope, x, parts) if parts else x
    for i in sorted(numbers, reverse=True):
        index = graph.constant(f"{scope}/index", np.array(numbers[i] % x.shape[i - 1]))
        name = graph.value("Gather", scope, x.name, index, axis=i)
        x = Tensor(name, (*x.shape[: i - 1], *x.shape[i:]))
    places = [i for i, k in enumerate(k for k in keys if not isinstance(k, int)) if k is None]
    for place in places:
        x = _tensor(scope, expand_dims(graph, scope, x, place))
    return Tensor(x.name, x.shape)


def _without(keys: list[Any]) -> list[Any]:
    """The keys without the first number."""
    first = next(i for i, k in enumerate(keys) if isinstance(k, int))
    return keys[:first] + keys[first + 1 :]


def _sliced(graph: GraphBuilder, scope: str, x: Tensor, parts: dict[int, slice]) -> Tensor:
    shape = list(x.shape)
    listed = []
    for axis, part in parts.items():
        start, stop, step = part.indices(shape[axis - 1])
        shape[axis - 1] = len(range(start, stop, step))
        # Going backwards, an end before the first value has no number of its own, but any far below zero means it.
        listed.append((start, stop if stop >= 0 else -(2**31), axis, step))
    if 0 in shape:
        raise Refused.at(scope, f"an empty part of the shape {x.shape} cannot be converted")
    starts, stops, axes, steps = (
        graph.constant(f"{scope}/{name}", np.array(values))
        for name, values in zip(("starts", "stops", "axes", "steps"), zip(*listed, strict=True), strict=True)
    )
    return Tensor(graph.value("Slice", scope, x.name, starts, stops, axes, steps), tuple(shape))


def _slice(key: Argument) -> Argument:
    """One key. Keras 2 writes a slice as a dict."""
    if isinstance(key, dict):
        key = slice(key.get("start"), key.get("stop"), key.get("step"))
    return int(key) if isinstance(key, np.ndarray | np.integer) and np.ndim(key) == 0 else key


def _tensor(scope: str, value: Argument) -> Tensor:
    if not isinstance(value, Tensor):
        raise Refused.at(scope, "an operator on constants alone cannot be converted")
    return value


def _listed(x: Tensor) -> str:
    return ", ".join(str(n) for n in x.shape)
