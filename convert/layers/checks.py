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
