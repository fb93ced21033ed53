"""What an ONNX file asks for, read from its bytes before ONNX Runtime sees it.

The file is a protobuf message (onnx.proto, ModelProto). Of its fields those are walked of which something is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator

# Numbers of fields: of ModelProto, and of OperatorSetIdProto.
_GRAPH, _OPSET_IMPORT, _FUNCTIONS = 7, 8, 25
_DOMAIN, _VERSION = 1, 2
# Of GraphProto, and of NodeProto.
_NODE, _OP_TYPE = 1, 4
# Of TensorProto. Either says that the numbers are in another file.
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
# What may hold tensors: by the message's name its fields and the messages that they are.
_TENSORS: dict[str, dict[int, str]] = {
    "model": {_GRAPH: "graph", _FUNCTIONS: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse_tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse_tensor", 23: "sparse_tensor"},
    "sparse_tensor": {1: "tensor", 2: "tensor"},
}
# Of graphs within graphs. Loops and conditions of real models need a few.
_DEPTH = 32
# Protobuf's wire types.
_VARINT, _EIGHT_BYTES, _LENGTH_DELIMITED, _FOUR_BYTES = 0, 1, 2, 5


def opsets(model: bytes) -> dict[str, int]:
    """The operator sets that it asks for: versions by domain, ONNX's own domain being the empty one.

    Raises ValueError for what is no such message.
    """
    found = {}
    for field, value in _fields(model):
        if field == _OPSET_IMPORT and isinstance(value, bytes):
            entry = dict(_fields(value))
            domain, version = entry.get(_DOMAIN, b""), entry.get(_VERSION, 0)
            if not isinstance(domain, bytes) or not isinstance(version, int):
                raise ValueError("opset_import is damaged")
            found[domain.decode()] = version
    return found


def operators(model: bytes) -> list[str]:
    """The names of the graph's operators, in its order. Raises ValueError likewise."""
    found = []
    for field, value in _fields(model):
        if field == _GRAPH and isinstance(value, bytes):
            for part, node in _fields(value):
                if part == _NODE and isinstance(node, bytes):
                    name = dict(_fields(node)).get(_OP_TYPE, b"")
                    found.append(name.decode() if isinstance(name, bytes) else "")
    return found


def has_external_data(model: bytes) -> bool:
    """Whether it would have ONNX Runtime read other files. Raises ValueError likewise."""
    return _has_external_data(model, "model", _DEPTH)


def _has_external_data(message: bytes, kind: str, depth: int) -> bool:
    if depth == 0:
        raise ValueError("it is nested too deeply")
    for field, value in _fields(message):
        if kind == "tensor":
            if field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0):
                return True
            continue
        within = _TENSORS[kind].get(field)
        if within is not None and isinstance(value, bytes) and _has_external_data(value, within, depth - 1):
            return True
    return False


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        if key >> 32:  # other readers would cut it off, and see another field
            raise ValueError("a field's number has more than 29 bits")
        kind = key & 7
        if kind == _VARINT:
            value, position = _varint(message, position)
            yield key >> 3, value
            continue
        if kind == _LENGTH_DELIMITED:
            length, position = _varint(message, position)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"unknown wire type {kind}")
        if position + length > len(message):
            raise ValueError("it ends too early")
        yield key >> 3, message[position : position + length]
        position += length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """Seven bits a byte, lowest first, the eighth says that more follow. Returns the value and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise ValueError("it ends too early")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the eighth bit
            return value, position
    raise ValueError("a number has more than 64 bits")
