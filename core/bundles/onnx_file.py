"""Inspect an ONNX file before ONNX Runtime loads it: operator sets, operators, and references to other files.

The file is a protobuf message (onnx.proto, ModelProto). Only the fields that are needed here are decoded.
"""

from __future__ import annotations

from collections.abc import Iterator

# Field numbers of ModelProto and of OperatorSetIdProto,
_GRAPH, _OPSET_IMPORT, _FUNCTIONS = 7, 8, 25
_DOMAIN, _VERSION = 1, 2
# of GraphProto and of NodeProto,
_NODE, _OP_TYPE, _OP_DOMAIN = 1, 4, 7
# and of TensorProto. Each of these two means that the tensor's values are in another file.
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
# The operators of ONNX itself have one of these domains. ONNX Runtime runs operators of other domains, such as its own
# com.microsoft, also if the model does not import an operator set for them.
_DOMAINS = (b"", b"ai.onnx")
# ONNX's second set, of other models than networks. Bundles use one of its operators.
TREES_DOMAIN, TREES = "ai.onnx.ml", "TreeEnsembleRegressor"
# The messages that can contain tensors or nodes: for each, the numbers of its fields, and the messages in those fields.
_TENSORS: dict[str, dict[int, str]] = {
    "model": {_GRAPH: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse_tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse_tensor", 23: "sparse_tensor"},
    "sparse_tensor": {1: "tensor", 2: "tensor"},
}
# The maximum nesting of messages. Loops and conditions of real models need a few levels.
_DEPTH = 32
# A byte of a varint from here on has a successor.
_CONTINUED = 0x80
# Protobuf's wire types.
_VARINT, _EIGHT_BYTES, _LENGTH_DELIMITED, _FOUR_BYTES = 0, 1, 2, 5


def opsets(model: bytes) -> dict[str, int]:
    """Return the operator sets that the model uses: versions by domain. ONNX's own domain is the empty string.

    Raises ValueError if the bytes are not such a message.
    """
    found = {}
    for field, value in fields(model):
        if field == _OPSET_IMPORT and isinstance(value, bytes):
            entry = dict(fields(value))
            domain, version = entry.get(_DOMAIN, b""), entry.get(_VERSION, 0)
            if not isinstance(domain, bytes) or not isinstance(version, int):
                raise ValueError("opset_import is damaged")
            found[domain.decode()] = version
    return found


def operators(model: bytes) -> list[str]:
    """Return the names of the graph's operators, in order. Raises ValueError if the bytes are not such a message."""
    found = []
    for field, value in fields(model):
        if field == _GRAPH and isinstance(value, bytes):
            for part, node in fields(value):
                if part == _NODE and isinstance(node, bytes):
                    name = dict(fields(node)).get(_OP_TYPE, b"")
                    found.append(name.decode() if isinstance(name, bytes) else "")
    return found


def forbidden(model: bytes) -> str | None:
    """Return what the model does that a graph of a bundle must not do, as the end of a sentence, or None.

    It must not read other files, use operators that are neither ONNX's own nor that of tree ensembles, or define
    operators (functions), which have operator sets of their own. Raises ValueError if the bytes are not such a message.
    """
    return _forbidden(model, "model", _DEPTH)


def _forbidden(message: bytes, kind: str, depth: int) -> str | None:
    if depth == 0:
        raise ValueError("nested too deeply")
    for field, value in fields(message):
        if kind == "tensor":
            if field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0):
                return "stores tensors in other files"
            continue
        if kind == "model" and field == _FUNCTIONS:
            return "defines operators of its own"
        within = _TENSORS[kind].get(field)
        if within is not None and isinstance(value, bytes):
            found = _forbidden(value, within, depth - 1)
            if found is not None:
                return found
    return _foreign(message) if kind == "node" else None


def _foreign(node: bytes) -> str | None:
    """What a node does that it must not do, judged by its operator."""
    parts = list(fields(node))
    domains = [value for field, value in parts if field == _OP_DOMAIN and value not in _DOMAINS]
    for domain in domains:
        if domain != TREES_DOMAIN.encode():
            return f"uses an operator of the domain {domain!r}"
    # A field that comes twice is refused here, because decoders could differ in which one counts.
    if domains and [value for field, value in parts if field == _OP_TYPE] != [TREES.encode()]:
        return f"uses another operator of the domain {TREES_DOMAIN} than {TREES}"
    return None


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and the value of each field of a message. Raises ValueError if the bytes are not one."""
    position, size = 0, len(message)
    while position < size:
        # A tree ensemble has tens of thousands of fields with keys and numbers of one byte, which need no call.
        key = message[position]
        if key < _CONTINUED:
            position += 1
        else:
            key, position = _varint(message, position)
        if key >> 32:  # other decoders would truncate the number, and see a different field
            raise ValueError("a field number has more than 29 bits")
        kind = key & 7
        if kind == _VARINT:
            if position < size and message[position] < _CONTINUED:
                value = message[position]
                position += 1
            else:
                value, position = _varint(message, position)
            yield key >> 3, value
            continue
        if kind == _LENGTH_DELIMITED:
            length, position = _varint(message, position)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"unknown wire type {kind}")
        if position + length > size:
            raise ValueError("truncated")
        yield key >> 3, message[position : position + length]
        position += length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """Decode a varint: seven bits in each byte, lowest first; the eighth bit means that another byte follows.

    Returns the value and the position after it.
    """
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise ValueError("truncated")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < _CONTINUED:
            return value, position
    raise ValueError("a number has more than 64 bits")
