"""Checks that many rows of the table share."""

from __future__ import annotations

from convert.errors import Refused
from convert.graph import Keras, Tensor


def unmasked(scope: str, layer: Keras, *inputs: Tensor) -> None:
    """Refuse masked steps for a layer that uses masks or passes them on in its own way."""
    if layer.supports_masking and any(x.mask is not None for x in inputs):
        raise Refused.at(scope, f"{type(layer).__name__} of masked steps cannot be converted")


def channels_last(scope: str, layer: Keras) -> None:
    """Refuse the layout (batch, features, steps)."""
    if getattr(layer, "data_format", None) not in (None, "channels_last"):
        kind = type(layer).__name__
        raise Refused.at(scope, f"{kind} with data_format={layer.data_format!r} cannot be converted")


def feature_axes(scope: str, layer: Keras, x: Tensor) -> list[int]:
    """The layer's `axis`, one or several, sorted and counted with the batch. Refuse the axis of the batch."""
    rank = len(x.shape) + 1
    axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    found = sorted(axis + rank if axis < 0 else axis for axis in axes)
    if not found or not 0 < found[0] <= found[-1] < rank or len(set(found)) < len(found):
        raise Refused.at(scope, f"{type(layer).__name__} over axis {layer.axis} cannot be converted")
    return found


def of_keras_2(layer: Keras) -> bool:
    """Whether the layer belongs to Keras 2, which differs in masks and constants."""
    return type(layer).__module__.startswith("tf_keras")
