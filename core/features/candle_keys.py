"""The key of a candle in records. All clients that send the same candle get the same key."""

from __future__ import annotations

import hashlib


def candle_key_of_time(milliseconds: float) -> str:
    """Return the key of a window by the opening time of its last candle; `evaluate` finds candles by this key."""
    return f"t:{round(milliseconds)}"


def candle_key_of_window(window: bytes) -> str:
    """Return the key of a window without timestamps: a hash of its values."""
    return f"w:{hashlib.blake2b(window, digest_size=16).hexdigest()}"


def time_of_candle_key(key: str) -> int | None:
    """Return the opening time in a key, in milliseconds since 1970; None for the key of a window."""
    kind, _, value = key.partition(":")
    return int(value) if kind == "t" else None
