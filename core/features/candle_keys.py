"""The key of a candle in records. All clients that send the same candle get the same key."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b


@lru_cache(maxsize=1024)  # all requests within a period are about the same candle
def candle_key_of_time(milliseconds: float) -> str:
    """Return the key of a window by the opening time of its last candle; `evaluate` finds candles by this key."""
    return f"t:{round(milliseconds)}"


def candle_key_of_window(kind: bytes, *values: bytes) -> str:
    """Return the key of a window without timestamps: a hash of what it is and of its values, one after the other."""
    found = blake2b(kind, digest_size=16)
    for each in values:
        found.update(each)
    return "w:" + found.hexdigest()


def time_of_candle_key(key: str) -> int | None:
    """Return the opening time in a key, in milliseconds since 1970; None for the key of a window.

    None also for a key that a disk has damaged: a record can have it, and must not stop a report or an export.
    """
    kind, _, value = key.partition(":")
    if kind == "t":
        with suppress(ValueError):
            return int(value)
    return None
