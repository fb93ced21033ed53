"""What a framework allocates for a model that was checked: its weights while they are made, and its values.

The parameters that sizes counts beforehand follow from the widths of layers, of which an operator between layers can
make any other. So the weights are counted again where the framework makes them, before each is allocated.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

from convert.errors import Refused
from convert.graph import Keras
from convert.untrusted import limits


class TooLarge(Exception):
    """More weights than the file can fill."""


@contextmanager
def limited_weights(framework: Keras, most: int) -> Iterator[None]:
    """Raise TooLarge before layers have more than `most` weights together."""
    base = framework.layers.Layer
    original = base.add_weight
    signature = inspect.signature(original)
    made = 0

    def add_weight(self: Keras, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the framework's own arguments
        nonlocal made
        shape = signature.bind(self, *args, **kwargs).arguments.get("shape")
        made += prod(int(n or 1) for n in ([shape] if isinstance(shape, int) else shape or ()))
        if made > most:
            raise TooLarge(f"layer {self.name!r} makes it {made:,} weights, more than the {most:,} that its file fills")
        return original(self, *args, **kwargs)

    base.add_weight = add_weight
    try:
        yield
    finally:
        base.add_weight = original


def check_values(model: Keras, steps: int) -> None:
    """Raise Refused for a layer with too many values in one window. `steps` stands for an open length."""
    # An operation of Keras 3 is not among the layers.
    for layer in [*(getattr(model, "operations", None) or getattr(model, "layers", None) or ())]:
        check_values(layer, steps)
        for node in getattr(layer, "_inbound_nodes", ()):
            shapes = [_sizes(tensor, steps) for tensor in _listed(getattr(node, "outputs", ()))]
            counts = [prod(shape) for shape in shapes] + _within(layer, node, steps)
            if max(counts, default=0) > limits.VALUES:
                raise Refused.at(
                    layer.name,
                    f"{type(layer).__name__} has {max(counts):,} values for a window, at most {limits.VALUES:,}"
                    " are converted",
                )


def _within(layer: Keras, node: Keras, steps: int) -> list[int]:
    """The numbers of values that attention has inside: for each pair of steps, in each head or feature."""
    kind = type(layer).__name__
    if kind not in {"AdditiveAttention", "Attention", "MultiHeadAttention"}:
        return []
    inputs = node.keras_inputs if hasattr(node, "keras_inputs") else node.input_tensors
    given = [_sizes(tensor, steps) for tensor in _listed(inputs)]
    lengths = sorted((shape[0] for shape in given if shape), reverse=True) or [1]
    pairs = lengths[0] * lengths[min(1, len(lengths) - 1)]
    if kind == "MultiHeadAttention":
        return [pairs * int(layer._num_heads)]  # noqa: SLF001 - Keras 2 has no public form
    wide = kind == "AdditiveAttention" or layer.score_mode == "concat"
    return [pairs * max(shape[-1] for shape in given if shape)] if wide and any(given) else [pairs]


def _sizes(tensor: Keras, steps: int) -> list[int]:
    """The sizes of a symbolic tensor's axes, without the batch."""
    return [steps if n is None else int(n) for n in tuple(tensor.shape)[1:]]


def _listed(tensors: Any) -> list[Any]:  # noqa: ANN401 - one tensor, or a list or dict of them
    if isinstance(tensors, dict):
        return [x for each in tensors.values() for x in _listed(each)]
    if isinstance(tensors, list | tuple):
        return [x for each in tensors for x in _listed(each)]
    return [tensors] if hasattr(tensors, "shape") else []
