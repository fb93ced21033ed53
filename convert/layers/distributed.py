"""TimeDistributed: one layer, or a whole model, at every step of a window."""

from __future__ import annotations

from collections.abc import Callable

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras, Tensor
from convert.layers.rows.reshaping import reshaped

# Layers that treat masked steps like others. The mask passes them by.
_WITHOUT_MASKS = frozenset(
    {
        "Activation",
        "ActivityRegularization",
        "AlphaDropout",
        "BatchNormalization",
        "Dense",
        "Dropout",
        "ELU",
        "GaussianDropout",
        "GaussianNoise",
        "LayerNormalization",
        "LeakyReLU",
        "PReLU",
        "ReLU",
        "UnitNormalization",
    }
)


def at_every_step(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor, emit: Callable[[Tensor], Tensor]) -> Tensor:
    """Add the inner layer, which `emit` adds for one tensor. All steps of all windows become one batch."""
    kind = type(layer.layer).__name__
    if x.mask is not None and kind not in _WITHOUT_MASKS:
        raise Refused.at(scope, f"TimeDistributed of {kind} for masked steps cannot be converted")
    if getattr(layer.layer, "stateful", False):
        raise Refused.at(scope, f"TimeDistributed of {kind} with stateful=True cannot be converted")
    steps, *inner = x.shape
    each = reshaped(graph, f"{scope}/steps", graph.batch_major(x).name, tuple(inner))
    y = graph.batch_major(emit(Tensor(each, tuple(inner))))
    if y.mask is not None:
        raise Refused.at(scope, f"TimeDistributed of {kind}, which makes a mask, cannot be converted")
    shape = (steps, *y.shape)
    return Tensor(reshaped(graph, scope, y.name, shape), shape, mask=x.mask)
