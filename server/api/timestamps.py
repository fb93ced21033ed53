"""Timestamps of candles: three ways of writing an instant, and the order of a series."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from operator import lt
from typing import NamedTuple, TypeAlias

from core.errors import InvalidInput
from core.features.timeframes import shifted
from core.inference.warnings import Warned, mixed_time_zones, spacing
from server.api.schemas.predictions import Stamp

# Seconds reach this in the year 5138, milliseconds passed it in 1973: what lies beyond is in milliseconds.
_MILLISECONDS_FROM = 100_000_000_000
# The years 1 to 9999, in milliseconds: what ISO 8601 writes in four digits.
_EARLIEST = -62_135_596_800_000
_LATEST = 253_402_300_799_999
_SECOND = 1_000.0
# Timestamps of a series that is remembered: 64 of them are then 3 MB at most.
_KEPT = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


Timestamps: TypeAlias = tuple[str | float | None, ...]


class Unzoned(float):
    """An instant whose text names no zone, and which is therefore read as UTC."""

    __slots__ = ()


class Times(NamedTuple):
    """What the timestamps of a series say.

    opens: when each candle begins, oldest first, in milliseconds since 1970. order: where each stood in the request,
    null where that was their order. warnings: of all but the present time.
    """

    opens: tuple[float, ...]
    order: tuple[int, ...] | None
    warnings: tuple[Warned, ...]


def times_of(timestamps: Timestamps, timeframe: str, stamp: Stamp | None) -> Times | None:
    """Null where no candle has a timestamp. Raises InvalidInput. `stamp`: which instant of a candle they are."""
    return (
        _known_times(timestamps, timeframe, stamp) if len(timestamps) <= _KEPT else _times(timestamps, timeframe, stamp)
    )


def _times(timestamps: Timestamps, timeframe: str, stamp: Stamp | None) -> Times | None:
    instants = instants_of(timestamps)
    if instants is None:
        return None
    mixed = _mixed_zones(instants)
    order = order_of(instants)
    if stamp == "close":
        instants = _opening(instants, timeframe)
    if order is not None:
        instants = [instants[i] for i in order]
    return Times(tuple(instants), None if order is None else tuple(order), mixed + spacing(instants, timeframe))


# At any time most requests are about the same last candles, of whatever pair: they have the same timestamps. Their
# texts are hashed to be read one by one anyway.
_known_times = lru_cache(maxsize=64)(_times)


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


def _mixed_zones(instants: Sequence[float]) -> tuple[Warned, ...]:
    kinds = set(map(type, instants))
    if len(kinds) == 1 or Unzoned not in kinds:
        return ()
    without = [i for i, instant in enumerate(instants) if isinstance(instant, Unzoned)]
    return (mixed_time_zones(len(without), len(instants), _path(without[0])),)


def _opening(instants: Sequence[float], timeframe: str) -> list[float]:
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
        return Unzoned(_within((found.replace(tzinfo=UTC) - _EPOCH) / _MILLISECOND))
    return _within((found - _EPOCH) / _MILLISECOND)


def _within(instant: float) -> float:
    """The same instant; raises ValueError where its date in UTC cannot be written."""
    if instant < _EARLIEST or round(instant) > _LATEST:  # rounded, as a candle's key is
        raise ValueError
    return instant
