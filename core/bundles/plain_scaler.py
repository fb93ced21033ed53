"""A scaler's graph as two numbers for each feature, if it is one that subtracts and divides.

ONNX Runtime takes several times as long for such a graph as NumPy does for both operations. Each of them is rounded
once in either, so the results are the same to the bit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.bundles.onnx_file import fields

Floats = NDArray[np.float64]

# Field numbers of ModelProto, GraphProto, NodeProto, AttributeProto and TensorProto.
_GRAPH = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE_NAME = 1, 5, 11, 12, 1
_TAKES, _GIVES, _OPERATOR, _ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _INTEGER = 1, 3
_DIMENSIONS, _TYPE, _NAME, _RAW = 1, 2, 8, 9
_FLOAT, _DOUBLE = 1, 11


class PlainScaler(NamedTuple):
    """A scaler without ONNX Runtime: what is subtracted from each feature, and what it is divided by then."""

    centre: Floats
    scale: Floats


class _Node(NamedTuple):
    operator: bytes
    takes: list[bytes]
    gives: list[bytes]
    attributes: list[dict[int, Any]]


def plain_scaler(model: bytes, width: int) -> PlainScaler | None:
    """Return the numbers of a graph that is Sub, Div and a Cast to float32, as convert writes a StandardScaler.

    None for every other graph. Raises ValueError if the bytes are not such a message.
    """
    (graph,) = (value for field, value in fields(model) if field == _GRAPH and isinstance(value, bytes))
    parts = [(field, value) for field, value in fields(graph) if isinstance(value, bytes)]
    nodes = [_node(value) for field, value in parts if field == _NODE]
    constants = {name: found for field, value in parts if field == _INITIALIZER for name, found in [_tensor(value)]}
    if [node.operator for node in nodes] != [b"Sub", b"Div", b"Cast"]:
        return None
    subtract, divide, cast = nodes
    ends = [dict(fields(value)).get(_VALUE_NAME) for field, value in parts if field in (_INPUT, _OUTPUT)]
    is_chain = (
        len(subtract.takes) == len(divide.takes) == 2  # noqa: PLR2004 - operands
        and [subtract.takes[0], *cast.gives] == ends
        and [divide.takes[0]] == subtract.gives
        and cast.takes == divide.gives
        and not subtract.attributes
        and not divide.attributes
        and [(each.get(_ATTRIBUTE_NAME), each.get(_INTEGER)) for each in cast.attributes] == [(b"to", _FLOAT)]
    )
    found = [constants.get(node.takes[1]) for node in (subtract, divide)] if is_chain else []
    good = [each for each in found if each is not None and each.shape == (width,)]
    return PlainScaler(*good) if len(good) == len(PlainScaler._fields) else None


def _node(message: bytes) -> _Node:
    found: dict[int, list[Any]] = {}
    for field, value in fields(message):
        found.setdefault(field, []).append(value)
    attributes = [dict(fields(each)) for each in found.get(_ATTRIBUTE, ())]
    return _Node(found.get(_OPERATOR, [b""])[-1], found.get(_TAKES, []), found.get(_GIVES, []), attributes)


def _tensor(message: bytes) -> tuple[Any, Floats | None]:
    """The name of a tensor, and its values; None unless it is a row of float64 as raw bytes."""
    found = dict(fields(message))
    raw, sizes = found.get(_RAW), [size for field, size in fields(message) if field == _DIMENSIONS]
    if found.get(_TYPE) != _DOUBLE or not isinstance(raw, bytes) or sizes != [len(raw) // 8]:
        return found.get(_NAME), None
    return found.get(_NAME), np.frombuffer(raw, "<f8").astype(np.float64)
