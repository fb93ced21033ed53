"""The sizes that a configuration makes a framework allocate, computed without the framework.

Keras makes every weight from the configuration before it reads the file's values. So a file of a few kilobytes could
ask for any amount of memory. The number of parameters follows from the widths of the layers: that of an input is given,
and each layer has one that follows from its inputs. It must agree with the number of values in the file.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

from convert.errors import Refused
from convert.layers import table
from convert.untrusted import limits
from convert.untrusted.models.layer_sizes import (
    RULES,
    WINDOW_RANK,
    Size,
    checked,
    concatenated,
    count,
    largest,
    of_shape,
)

Config: TypeAlias = dict[str, Any]

_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
# The shapes of windows. The others are those of any layer's input.
_OF_WINDOWS = ("batch_shape", "batch_input_shape", "shape")
_SHAPES = ("batch_shape", "batch_input_shape", "build_input_shape", "input_shape", "shape")
# From these shapes, MultiHeadAttention of Keras 2 makes its weights.
_ATTENTION_SHAPES = ("query_shape", "value_shape", "key_shape")
_JOINING = frozenset({"Concatenate", "Stack", "concat", "stack"})
# Weights beyond those of the file that are tolerated: counted twice here, or not stored in the file.
_FACTOR, _AT_LEAST = 2, 1_000_000
# Keras writes layers in the order of their calls, so the sizes of a graph are known after two passes.
_PASSES, _CALLS = 20, 20 * limits.LAYERS


def check(config: Config, elements: int) -> None:
    """Check a rebuilt configuration against the number of values in the file. Raises Refused.

    Raises AttributeError, TypeError or ValueError if the configuration does not have the form of a model's.
    """
    if (count := parameters(config)) > most(elements):
        raise Refused(
            f"its layers have {count:,} parameters, but the file has {elements:,} values; save the model again"
        )


def most(elements: int) -> int:
    """The largest number of parameters for a file of so many values."""
    return _FACTOR * elements + _AT_LEAST


def parameters(config: Config) -> int:
    """The number of parameters of a rebuilt configuration, or a larger one. Raises as `check` does."""
    if (layers := _number(config)) > limits.LAYERS:
        raise Refused(f"it has {layers:,} layers; at most {limits.LAYERS:,} are converted")
    counted = _Counting()
    counted.layer(config, Size(rank=1))
    return counted.parameters


def _number(layer: Config) -> int:
    """The number of layers, including inner ones."""
    config = layer["config"]
    inner = config if isinstance(config, list) else config.get("layers")
    return 1 + sum(map(_number, inner)) if layer["class_name"] in table.MODELS and isinstance(inner, list) else 1


class _Counting:
    """Walks a model. parameters: those of all layers so far."""

    def __init__(self) -> None:
        self.parameters = 0
        self._calls = 0

    def layer(self, layer: Config, size: Size) -> Size:
        """Count a layer that is called with tensors of a size. Returns the size of its result."""
        self._calls += 1
        if self._calls > _CALLS:
            raise Refused("its layers are called too often; save the model again")
        kind, config = layer["class_name"], layer["config"]
        name = str(config.get("name") if isinstance(config, dict) else kind)[:80]
        for key, shape in _shapes([layer.get("build_config"), config]):
            size = largest([size, _size(name, shape, window=key in _OF_WINDOWS)])
        if kind in table.MODELS:
            return self._model(config, size)
        return checked(name, self._called(name, layer, size))

    def _called(self, name: str, layer: Config, size: Size) -> Size:  # noqa: PLR0911 - one for each kind of layer
        kind, config = layer["class_name"], layer["config"]
        if table.is_operator(kind, layer.get("module")):  # some have the name of a layer
            return _of_operator(name, layer, size)
        if kind == "Bidirectional":
            one, other = (self.layer(config.get(key) or config["layer"], size) for key in ("layer", "backward_layer"))
            return largest([one, other])._replace(width=one.width + other.width)
        if kind == "TimeDistributed":
            return self._at_every_step(config["layer"], size)
        if kind in _GATES:
            return self._recurrent(name, _GATES[kind], config, size)
        if kind == "Dense":
            units = count(name, config.get("units"))
            self.parameters += (size.width + 1) * units
            return size._replace(width=units)
        if kind in RULES:
            found = RULES[kind](name, config, size)
            self.parameters += found.parameters
            return found.size
        return self._of_call(name, layer, size)

    def _at_every_step(self, layer: Config, size: Size) -> Size:
        """The inner layer sees a tensor without the first axis, of which there are up to `outer` or `steps`."""
        if size.rank <= WINDOW_RANK:
            inner = self.layer(layer, Size(1, size.width, 1))
            if inner.rank == 1:
                return Size(size.steps, inner.width)
            return inner._replace(rank=inner.rank + 1, outer=size.steps * inner.outer)
        outer = 1 if size.rank == WINDOW_RANK + 1 else size.outer
        inner = self.layer(layer, Size(size.steps, size.width, size.rank - 1, outer))
        if inner.rank == 1:
            return Size(size.outer, inner.width)
        return inner._replace(rank=inner.rank + 1, outer=size.outer * inner.outer)

    def _of_call(self, name: str, layer: Config, size: Size) -> Size:
        """Count attention, embeddings and operators, whose weights and sizes follow from their calls."""
        kind, config = layer["class_name"], layer["config"]
        if kind == "MultiHeadAttention":
            return self._attention(name, config, size)
        if kind == "AdditiveAttention":
            self.parameters += size.width
        if kind == "Embedding":
            width = count(name, config.get("output_dim"))
            self.parameters += count(name, config.get("input_dim")) * width
            return Size(size.steps, width)
        return size

    def _recurrent(self, name: str, gates: int, config: Config, size: Size) -> Size:
        units = count(name, config.get("units"))
        biases = 2 if gates == _GATES["GRU"] and config.get("reset_after", True) else 1
        self.parameters += gates * units * (size.width + units + biases)
        if config.get("unroll") and size.steps > limits.UNROLLED_STEPS:
            raise Refused(f"layer {name!r} is unrolled over {size.steps:,} steps, more than {limits.UNROLLED_STEPS}")
        return Size(size.steps, units) if config.get("return_sequences") else Size(1, units, 1)

    def _attention(self, name: str, config: Config, size: Size) -> Size:
        """The kernels and biases of the query, the key, the value and the output."""
        heads, width = count(name, config.get("num_heads")), count(name, config.get("key_dim"))
        value_width = count(name, config.get("value_dim") or width)
        shape = config.get("output_shape") or size.width
        output = math.prod(count(name, n) for n in (shape if isinstance(shape, list) else [shape]))
        self.parameters += heads * (2 * width + value_width) * (size.width + 1) + (heads * value_width + 1) * output
        return Size(size.steps, output)

    def _model(self, config: Any, size: Size) -> Size:  # noqa: ANN401 - of a file, so of any type
        layers = config if isinstance(config, list) else config["layers"]
        if isinstance(config, list) or not any(layer.get("inbound_nodes") for layer in layers):
            for layer in layers:
                size = self.layer(layer, size)
            return size
        outputs = [name for name, _ in _inputs(config.get("output_layers"))]
        return self._graph(layers, outputs, size)

    def _graph(self, layers: list[Config], outputs: list[str], size: Size) -> Size:
        """Call the layers until no size grows. Each name has the largest size of all calls of its layer."""
        calls = [(layer, [*_inputs(node)]) for layer in layers for node in layer.get("inbound_nodes") or [None]]
        _check_order(calls)
        sizes: dict[str, Size] = {_named(layer): Size(rank=1) for layer in layers}
        known, before = self.parameters, None
        for _ in range(_PASSES):
            if before == sizes:
                return largest([sizes[name] for name in outputs] or [size, *sizes.values()])
            before, self.parameters = dict(sizes), known
            counted: dict[str, int] = {}
            for layer, inputs in calls:
                name = _named(layer)
                given = [sizes[each] for each, _ in inputs] or [size]
                joined = layer["class_name"] == "Concatenate"
                if not joined and _operator(layer) in _JOINING:
                    merged = _joined(given)
                else:
                    merged = concatenated(layer["config"], given) if joined else largest(given)
                start = self.parameters
                sizes[name] = largest([sizes[name], self.layer(layer, merged)])
                # The weights of a layer that is called twice exist once.
                counted[name] = max(counted.get(name, 0), self.parameters - start)
                self.parameters = start
            self.parameters = known + sum(counted.values())
        raise Refused("its layers make their own inputs wider; save the model again")


def _check_order(calls: list[tuple[Config, list[tuple[str, int]]]]) -> None:
    """Raise Refused if the layers cannot be called one after the other. Keras would look for their inputs for ever."""
    done: set[tuple[str, int]] = set()
    made: Counter[str] = Counter()
    waiting = calls
    while waiting:
        left = []
        for layer, inputs in waiting:
            if done.issuperset(inputs):
                name = _named(layer)
                # Most inner models count their own definition as the first call, others do not.
                done |= {(name, made[name] + i) for i in ((0, 1) if layer["class_name"] in table.MODELS else (0,))}
                made[name] += 1
            else:
                left.append((layer, inputs))
        if len(left) == len(waiting):
            raise Refused(f"layer {_named(left[0][0])[:80]!r} takes its input from a layer that needs it or is missing")
        waiting = left


def _joined(sizes: list[Size]) -> Size:
    """Of an operator that joins along any axis: the last one, so that the width is at least as large."""
    found = largest(sizes)
    return found._replace(width=sum(each.width for each in sizes))


def _operator(layer: Config) -> str:
    """The class of a layer or an operator, or the function of TensorFlow that it wraps."""
    return str(layer["config"].get("function") or layer["class_name"])


def _of_operator(name: str, layer: Config, size: Size) -> Size:
    """The size after an operator. It has no weights, and most keep the size or make it smaller."""
    kind = _operator(layer)
    if kind in {"Transpose", "Swapaxes", "transpose", "compat.v1.transpose", "Matmul", "linalg.matmul"}:
        return Size(max(size), max(size))
    if kind == "Reshape":
        last = layer["config"].get("newshape") or [1]
        return Size(size.steps, max(size.width, *(abs(count(name, abs(n or 1))) for n in last[-1:])))
    return size


def _named(layer: Config) -> str:
    return str(layer.get("name") or layer["config"].get("name"))


def _inputs(node: Any) -> Iterator[tuple[str, int]]:  # noqa: ANN401 - of a file, so of any type
    """The outputs that a call takes: the name of a layer and the number of its call.

    In Keras 2, other arguments of the call follow, which can be tensors too.
    """
    if isinstance(node, dict):
        if "keras_history" in node:
            name, index, *_ = node["keras_history"]
            yield str(name), int(index)
            return
        for each in node.values():
            yield from _inputs(each)
    elif isinstance(node, list):
        if len(node) > 1 and isinstance(node[0], str) and type(node[1]) is int:  # Keras 2
            if node[0] != "_CONSTANT_VALUE":
                yield node[0], node[1]
            yield from _inputs([each for each in node[2:] if isinstance(each, dict)])
            return
        for each in node:
            yield from _inputs(each)


def _shapes(parts: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """The shapes that the parts of a layer's configuration declare, with their keys, without those of inner layers."""
    for part in parts:
        if isinstance(part, dict):
            for key in _SHAPES + _ATTENTION_SHAPES:
                yield from ((key, shape) for shape in _lists(part.get(key)))
            of_arguments = part.get("shapes_dict")
            for found in of_arguments.values() if isinstance(of_arguments, dict) else ():
                yield from (("shapes_dict", shape) for shape in _lists(found))


def _lists(found: Any) -> list[list[Any]]:  # noqa: ANN401 - of a file, so of any type
    """The shapes in a value: one, or several."""
    shape = found.get("items") if isinstance(found, dict) else found  # a tuple of Keras 3
    if not isinstance(shape, list):
        return []
    return [each for each in shape if isinstance(each, list)] or [shape]


def _size(name: str, shape: list[Any], *, window: bool) -> Size:
    batch, *inner = [1 if n is None else count(name, n) for n in shape] or [1]
    steps, values = math.prod(inner[:-1]), math.prod(inner)
    if batch > limits.BATCH or (window and (steps > limits.STEPS or values > limits.WINDOW)):
        raise Refused(
            f"layer {name!r} has the shape {shape}; a batch of more than {limits.BATCH:,}, more than "
            f"{limits.STEPS:,} steps or more than {limits.WINDOW:,} values in a window are not converted"
        )
    return of_shape(name, inner)
