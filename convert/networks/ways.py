"""Choose the way from a network to its graph: the table of layers, or tf2onnx for what the table does not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

import onnx

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import network, table
from convert.networks import cleaning, fallback
from convert.networks.keras_model import KerasModel

Way: TypeAlias = Literal["layers", "tf2onnx", "trees", "mean"]

_MOST_NAMED = 12
# The keys of the layers inside a wrapper, in either framework.
_WRAPPED = ("layer", "forward_layer", "backward_layer")


class BuiltNetwork(NamedTuple):
    """A network's graph, the way to it, the loops in it, and why the table of layers was not enough."""

    graph: onnx.ModelProto
    way: Way
    loops: int
    reason: str


def build(reference: KerasModel, *, allow_fallback: bool = True) -> BuiltNetwork:
    """Build the graph of a stage, by the table if that has all layers and options. Raises Refused."""
    model = reference.model
    try:
        return BuiltNetwork(
            network.build(model, reference.window, reference.arrangement.emit, reference.head.emit), "layers", 0, ""
        )
    except Refused as error:
        of_table = error
    named = unknown_layers(model)
    reason = f"the table of layers does not have {', '.join(named)}" if named else str(of_table)
    if not allow_fallback:
        raise Refused(f"{reason}; convert without --no-fallback" if named else reason)
    try:
        graph = fallback.build(model, reference.answer, reference.window, reference.head.width)
    except Refused as error:
        if str(error) == str(of_table):
            raise
        raise Refused(f"{reason}; {error}") from None
    counts = cleaning.operators(graph.graph)
    return BuiltNetwork(graph, "tf2onnx", sum(counts[kind] for kind in cleaning.LOOPS), reason)


def said(way: Way, reason: str) -> str:
    """How a graph was built, for the report."""
    known: dict[Way, str] = {
        "layers": "built by the table of layers",
        "tf2onnx": f"built by tf2onnx, because {reason}",
        "trees": "built from its trees",
        "mean": "the sigmoid of the mean of what goes into the models' own",
    }
    return known[way]


def unknown_layers(model: Keras) -> list[str]:
    """The layers that the table does not have, as "Class 'name'", each once."""
    found = list(dict.fromkeys(f"{type(layer).__name__} {layer.name!r}" for layer in _unknown(model)))
    more = [f"{len(found) - _MOST_NAMED} more"] if len(found) > _MOST_NAMED else []
    return found[:_MOST_NAMED] + more


def _unknown(layer: Keras) -> Iterator[Keras]:
    kind, module = type(layer).__name__, type(layer).__module__
    if not (table.is_known(kind, module) or table.is_mask_operation(kind, module)):
        yield layer
    elif kind in table.MODELS:
        inner = network.functional(layer)
        for each in getattr(inner, "operations", None) or inner.layers:
            yield from _unknown(each)
    else:
        for each in (getattr(layer, key, None) for key in _WRAPPED):
            if each is not None:
                yield from _unknown(each)
