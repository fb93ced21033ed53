"""The size of a message without its raw tensors, from its bytes.

A decoder allocates a hundred bytes for an empty tensor of two bytes: without a limit, 32 MiB of them would take
gigabytes. The bytes of raw tensors are copied once, whatever they are.
"""

from __future__ import annotations

from core.errors import InvalidInput
from server.http.bodies import sizes
from server.http.errors import PayloadTooLarge

# The tag of raw_input_contents: field 7, with a length (wire type 2).
_RAW = 7 << 3 | 2
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
# Far more than the fields of 16 inputs, 16 outputs and all parameters.
_MOST_FIELDS = 1_000
_MOST_VARINT = 10


def check_size(message: bytes) -> None:
    """Raise InvalidInput or PayloadTooLarge for a request for inference that is too costly to decode.

    A small one never is. The bytes need not be a message: the decoder finds that out.
    """
    if len(message) <= sizes.UNCOUNTED:
        return
    position = fields = raw = 0
    try:
        while position < len(message):
            fields += 1
            if fields > _MOST_FIELDS:
                raise InvalidInput.at("", f"the message has more than {_MOST_FIELDS:,} fields")
            begin = position
            tag, position = _varint(message, position)
            kind = tag & 7
            if kind == _LENGTH:
                length, position = _varint(message, position)
                position += length
                if tag == _RAW:
                    raw += length
            elif kind == _VARINT:
                _, position = _varint(message, position)
            elif kind in _FIXED:
                position += _FIXED[kind]
            else:  # a group, which no version of the message has
                position = begin
                break
    except IndexError:
        pass
    if len(message) - raw > sizes.SINGLE:
        raise PayloadTooLarge(
            f"the message without raw_input_contents is larger than {sizes.SINGLE:,} bytes; send the tensors as"
            " raw_input_contents"
        )


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """The number at a position, and the position behind it. Raises IndexError if it does not end."""
    value = 0
    for i in range(_MOST_VARINT):
        byte = message[position + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more bytes follow
            return value, position + i + 1
    raise IndexError
