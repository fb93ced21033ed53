"""Timestamps of candles: three ways of writing an instant, and the order of a series."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise

from core.errors import InvalidInput

# Seconds reach this in the year 5138, milliseconds passed it in 1973: what lies beyond is in milliseconds.
_MILLISECONDS_FROM = 100_000_000_000
# The years 1 to 9999, in milliseconds: what ISO 8601 writes in four digits.
_EARLIEST = -62_135_596_800_000
_LATEST = 253_402_300_799_999


def order_of_time(timestamps: Sequence[str | float | None]) -> list[int] | None:
    """The positions of the candles, oldest first; null where they are in order already or have no timestamps.

    Raises InvalidInput for one that is missing among others, cannot be read, or comes twice.
    """
    missing = [i for i, value in enumerate(timestamps) if value is None]
    if len(missing) == len(timestamps):
        return None
    if missing:
        raise InvalidInput.at(_path(missing[0]), "missing, though other candles have one")
    instants = [milliseconds(value, i) for i, value in enumerate(timestamps) if value is not None]
    if all(earlier < later for earlier, later in pairwise(instants)):
        return None
    order = sorted(range(len(instants)), key=instants.__getitem__)
    for first, second in pairwise(order):
        if instants[first] == instants[second]:
            raise InvalidInput.at(_path(second), f"the same instant as data[{first}].timestamp")
    return order


def _path(index: int) -> str:
    return f"data[{index}].timestamp"


def milliseconds(value: str | float, index: int) -> float:
    """The instant of `data[index]`, since 1970. Raises InvalidInput where it cannot be read."""
    try:
        return _of_text(value) if isinstance(value, str) else _of_number(value)
    except (ValueError, OverflowError):
        raise _unreadable(_path(index)) from None


def instant(value: str | float, path: str) -> float:
    """The same for any other place in a body."""
    try:
        return _of_text(value) if isinstance(value, str) else _of_number(value)
    except (ValueError, OverflowError):
        raise _unreadable(path) from None


def _unreadable(path: str) -> InvalidInput:
    return InvalidInput.at(path, "expected ISO 8601 such as 2025-10-16T09:00:00Z, or epoch seconds or milliseconds")


def _of_number(value: float) -> float:
    return _within(value if abs(value) >= _MILLISECONDS_FROM else value * 1000)


# Requests overlap in all but one candle, so that nearly every text has been read before.
@lru_cache(maxsize=16_384)
def _of_text(text: str) -> float:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return _within(instant.timestamp() * 1000)


def _within(instant: float) -> float:
    """The same instant; raises ValueError where its date in UTC cannot be written."""
    if instant < _EARLIEST or round(instant) > _LATEST:  # rounded, as a candle's key is
        raise ValueError
    return instant
