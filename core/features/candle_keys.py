"""The key by which a candle is known in records: the same for all who send the same candle."""

from __future__ import annotations

import hashlib


def candle_key_of_time(milliseconds: float) -> str:
    """The key of a window whose last candle begins at that instant since 1970: `evaluate` finds it by that."""
    return f"t:{round(milliseconds)}"


def candle_key_of_window(window: bytes) -> str:
    """The key of a window without times: a hash of its values."""
    return f"w:{hashlib.blake2b(window, digest_size=16).hexdigest()}"
