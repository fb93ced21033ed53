"""The operator set that an ONNX file asks for, read from its bytes, since ONNX Runtime does not tell.

The file is a protobuf message (onnx.proto, ModelProto); field 8, opset_import, holds a domain (field 1) and a version
(field 2). Only the outermost fields are walked: the graph, which is nearly all of the file, is stepped over.
"""

from __future__ import annotations

from collections.abc import Iterator

_OPSET_IMPORT, _DOMAIN, _VERSION = 8, 1, 2
# Protobuf's wire types.
_VARINT, _EIGHT_BYTES, _LENGTH_DELIMITED, _FOUR_BYTES = 0, 1, 2, 5


def imported(model: bytes) -> dict[str, int]:
    """Version by domain; ONNX's own domain is the empty one. Raises ValueError for what is no such message."""
    found = {}
    for field, value in _fields(model):
        if field == _OPSET_IMPORT and isinstance(value, bytes):
            entry = dict(_fields(value))
            domain, version = entry.get(_DOMAIN, b""), entry.get(_VERSION, 0)
            if not isinstance(domain, bytes) or not isinstance(version, int):
                raise ValueError("opset_import is damaged")
            found[domain.decode()] = version
    return found


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
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
