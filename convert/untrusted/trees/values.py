"""The values `key=value` of LightGBM's text, and numbers in them."""

from __future__ import annotations

from typing import TypeAlias

from convert.errors import Refused

Values: TypeAlias = dict[bytes, bytes]

SAVE_AGAIN = "save it again with `booster.save_model('model.txt')`"
_SHOWN = 60


def whole(found: Values, key: bytes, least: int, most: int) -> int:
    """The whole number of a key that is there. Raises Refused."""
    text = found[key]
    if text.isdigit() and len(text) <= _SHOWN and least <= int(text) <= most:
        return int(text)
    raise Refused(f"{key.decode()}={shown(text)} is not within {least} to {most:,}")


def shown(value: bytes) -> str:
    """A value for a message."""
    return value[:_SHOWN].decode(errors="replace")
