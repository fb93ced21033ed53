"""Timestamps of candles: three ways of writing an instant, and the order of a series."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from operator import lt

from core.errors import InvalidInput
from core.timeframes import shifted
from core.warnings import Warned, mixed_time_zones

# Seconds reach this in the year 5138, milliseconds passed it in 1973: what lies beyond is in milliseconds.
_MILLISECONDS_FROM = 100_000_000_000
# The years 1 to 9999, in milliseconds: what ISO 8601 writes in four digits.
_EARLIEST = -62_135_596_800_000
_LATEST = 253_402_300_799_999
_SECOND = 1_000.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Unzoned(float):
    """An instant whose text names no zone, and which is therefore read as UTC."""

    __slots__ = ()
    # Whether there has been any in this process: most clients name a zone, and are not looked at one by one.
    met = False


def instants_of(timestamps: Sequence[str | float | None]) -> list[float] | None:
    """Each candle's instant, in milliseconds since 1970, Unzoned where it is; null where none has a timestamp.

    Raises InvalidInput for one that is missing among others, or cannot be read.
    """
    try:
        return list(map(_instant, timestamps))
    except (ValueError, OverflowError, TypeError):  # the last is what a null makes
        pass
    missing = [i for i, value in enumerate(timestamps) if value is None]
    if len(missing) == len(timestamps):
        return None
    if missing:
        raise InvalidInput.at(_path(missing[0]), "missing, though other candles have one")
    return [instant(value, _path(i)) for i, value in enumerate(timestamps) if value is not None]


def order_of(instants: Sequence[float]) -> list[int] | None:
    """The positions of the candles, oldest first; null where they are in order already.

    Raises InvalidInput for an instant that comes twice.
    """
    if all(map(lt, instants, islice(instants, 1, None))):
        return None
    order = sorted(range(len(instants)), key=instants.__getitem__)
    for first, second in pairwise(order):
        if instants[first] == instants[second]:
            raise InvalidInput.at(_path(second), f"the same instant as data[{first}].timestamp")
    return order


def mixed_zones(instants: Sequence[float]) -> Warned | None:
    """The warning where some of the instants of `instants_of` are Unzoned and some are not."""
    if not Unzoned.met:
        return None
    kinds = set(map(type, instants))
    if len(kinds) == 1 or Unzoned not in kinds:
        return None
    without = [i for i, instant in enumerate(instants) if isinstance(instant, Unzoned)]
    return mixed_time_zones(len(without), len(instants), without[0])


def opening(instants: Sequence[float], timeframe: str) -> list[float]:
    """Where candles open that close at these instants. Raises InvalidInput where that is before the year 1."""
    found = []
    for i, instant in enumerate(instants):
        try:
            found.append(shifted(_whole(instant), timeframe, -1))
        except OverflowError:
            raise InvalidInput.at(_path(i), "the candle opens before the year 1") from None
    return found


def _whole(closes: float) -> float:
    """A closing time that is the last millisecond of the period, as exchanges write it, as the end of the period."""
    short = -closes % _SECOND
    return closes + short if short <= 1.0 else closes


def instant(value: str | float, path: str) -> float:
    """The instant at a place of a body, in milliseconds since 1970. Raises InvalidInput where it cannot be read."""
    try:
        return _instant(value)
    except (ValueError, OverflowError):
        expected = "expected ISO 8601 such as 2025-10-16T09:00:00Z, or epoch seconds or milliseconds"
        raise InvalidInput.at(path, expected) from None


def _path(index: int) -> str:
    return f"data[{index}].timestamp"


# Requests overlap in all but one candle, so that nearly every timestamp has been read before.
@lru_cache(maxsize=16_384)
def _instant(value: str | float) -> float:
    if not isinstance(value, str):
        # To the microsecond, as in ISO 8601: a product's last bit would tell apart what is one instant.
        return _within(value if abs(value) >= _MILLISECONDS_FROM else round(value * 1000, 3))
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        Unzoned.met = True
        return Unzoned(_within((found.replace(tzinfo=UTC) - _EPOCH) / _MILLISECOND))
    return _within((found - _EPOCH) / _MILLISECOND)


def _within(instant: float) -> float:
    """The same instant; raises ValueError where its date in UTC cannot be written."""
    if instant < _EARLIEST or round(instant) > _LATEST:  # rounded, as a candle's key is
        raise ValueError
    return instant
