"""Timestamps of candles: the three forms of an instant, and the order of a series."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from operator import lt
from typing import NamedTuple, TypeAlias

import numpy as np

from core.errors import InvalidInput, quoted
from core.features.timeframes import shifted
from core.inference.warnings import Warned, mixed_time_zones, spacing
from server.api.schemas.predictions import Stamp
from server.http.bodies.wanted import FORMS, ISO_8601

# Seconds reach this number in the year 5138, milliseconds reached it in 1973: from here on a number is milliseconds.
_MILLISECONDS_FROM = 100_000_000_000
# The years 1 to 9999 in milliseconds: ISO 8601 writes a year in four digits.
_EARLIEST = -62_135_596_800_000
_LATEST = 253_402_300_799_999
_SECOND = 1_000.0
# Numbers from here on, which are no milliseconds, are most likely nanoseconds: microseconds reach it in 5138.
_NANOSECONDS_FROM = 100_000_000_000_000_000
_NANOSECONDS_UNTIL = 10_000_000_000_000_000_000  # the year 2286
# The longest series that is remembered: 64 series of so many timestamps take at most 3 MB.
KEPT = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NUMBER = re.compile(r"\s*[+-]?\d+(?:\.\d*)?\s*")
_YEAR_BEYOND = re.compile(r"[+-]\d{6}-|000\d-|9999-")
_DATE_LENGTH = len("20251016")
_MOST_DIGITS = 40

SentTimes: TypeAlias = tuple[str | float | None, ...]


class Unzoned(float):
    """An instant whose text names no zone. It is read as UTC."""

    __slots__ = ()


class Times(NamedTuple):
    """The times of a series.

    opens: when each candle begins, oldest first, in milliseconds since 1970. order: the position of each in the
    request; null if the request has them in this order. warnings: all except those about the present time.
    """

    opens: tuple[float, ...]
    order: tuple[int, ...] | None
    warnings: tuple[Warned, ...]


def times_of(timestamps: SentTimes, timeframe: str, stamp: Stamp | None) -> Times | None:
    """Read and sort the timestamps of a series; null if no candle has one. Raises InvalidInput.

    stamp: the instant of a candle that its timestamp gives.
    """
    return (
        _known_times(timestamps, timeframe, stamp) if len(timestamps) <= KEPT else _times(timestamps, timeframe, stamp)
    )


def _times(timestamps: SentTimes, timeframe: str, stamp: Stamp | None) -> Times | None:
    instants = instants_of(timestamps)
    if instants is None:
        return None
    mixed = _mixed_zones(instants)
    order = order_of(instants, timestamps)
    if stamp == "close":
        instants = _opening(instants, timeframe)
    if order is not None:
        instants = [instants[i] for i in order]
    return Times(tuple(instants), None if order is None else tuple(order), mixed + spacing(instants, timeframe))


# At any time most requests, whatever their pair, have the same last candles and so the same timestamps. Hashing their
# texts costs nothing extra: reading them one by one hashes them as well.
_known_times = lru_cache(maxsize=64)(_times)


def times_of_instants(instants: bytes, timeframe: str, stamp: Stamp | None) -> Times:
    """As `times_of`, for instants that ascend: float64 in milliseconds since 1970. Raises InvalidInput."""
    return (_known_instants if len(instants) <= 8 * KEPT else _of_instants)(instants, timeframe, stamp)


def _of_instants(packed: bytes, timeframe: str, stamp: Stamp | None) -> Times:
    instants: list[float] = np.frombuffer(packed).tolist()
    if stamp == "close":
        instants = _opening(instants, timeframe)
    return Times(tuple(instants), None, spacing(instants, timeframe))


_known_instants = lru_cache(maxsize=64)(_of_instants)


def instants_of(timestamps: Sequence[str | float | None]) -> list[float] | None:
    """Each candle's instant in milliseconds since 1970, as Unzoned if its text has no zone; null if none has a time.

    Raises InvalidInput for a timestamp that cannot be read, and for one that is missing while other candles have one.
    """
    try:
        return list(map(_instant, timestamps))
    except (ValueError, OverflowError, TypeError):  # null raises TypeError
        pass
    missing = [i for i, value in enumerate(timestamps) if value is None]
    if len(missing) == len(timestamps):
        return None
    if missing:
        other = next(i for i, value in enumerate(timestamps) if value is not None)
        message = f"missing or null, but {_path(other)} is there; send a timestamp with all candles or with none"
        raise InvalidInput.at(_path(missing[0]), message)
    return [instant(value, _path(i)) for i, value in enumerate(timestamps) if value is not None]


def order_of(instants: Sequence[float], timestamps: Sequence[str | float | None]) -> list[int] | None:
    """The positions of the candles, oldest first; null if they are in order already.

    timestamps: the same instants as they were sent. Raises InvalidInput for an instant that occurs twice.
    """
    if all(map(lt, instants, islice(instants, 1, None))):
        return None
    order = sorted(range(len(instants)), key=instants.__getitem__)
    for first, second in pairwise(order):
        if instants[first] == instants[second]:
            message = f"{_told(second, instants, timestamps)} is the same instant as {_path(first)}"
            raise InvalidInput.at(_path(second), f"{message}, {_told(first, instants, timestamps)}")
    return order


def _mixed_zones(instants: Sequence[float]) -> tuple[Warned, ...]:
    kinds = set(map(type, instants))
    if len(kinds) == 1 or Unzoned not in kinds:
        return ()
    without = [i for i, instant in enumerate(instants) if isinstance(instant, Unzoned)]
    return (mixed_time_zones(len(without), len(instants), _path(without[0])),)


def _opening(instants: Sequence[float], timeframe: str) -> list[float]:
    """When candles open that close at these instants. Raises InvalidInput if that is before the year 1."""
    found = []
    for i, instant in enumerate(instants):
        try:
            found.append(shifted(_whole(instant), timeframe, -1))
        except OverflowError:
            message = "is a closing time, and the candle opens before the year 1"
            raise InvalidInput.at(_path(i), message) from None
    return found


def _whole(closes: float) -> float:
    """The end of a period for its closing time, which some exchanges write as the last millisecond before it."""
    short = -closes % _SECOND
    return closes + short if short <= 1.0 else closes


def instant(value: str | float, path: str) -> float:
    """The instant at a place of a body, in milliseconds since 1970. Raises InvalidInput if it cannot be read."""
    try:
        return _instant(value)
    except (ValueError, OverflowError):
        raise InvalidInput.at(path, _unreadable(value)) from None


def _unreadable(value: str | float) -> str:
    if isinstance(value, str):
        if _NUMBER.fullmatch(value):
            return f"must be {FORMS['timestamp']}, not {quoted(value)}; epoch numbers are sent without quotes"
        if _YEAR_BEYOND.match(value):
            return f"must be in the years 1 to 9999, not {quoted(value)}; new Date(number) takes milliseconds"
        return f"must be {FORMS['timestamp']}, not {quoted(value)}{ISO_8601}"
    shown = str(value)
    shown = shown if len(shown) <= _MOST_DIGITS else f"{shown[:_MOST_DIGITS]}…"
    if _LATEST < value < _NANOSECONDS_FROM:
        return f"{shown} looks like microseconds; divide by 1,000"
    if _NANOSECONDS_FROM <= value < _NANOSECONDS_UNTIL:
        return f"{shown} looks like nanoseconds; divide by 1,000,000"
    return f"must be seconds or milliseconds of the years 1 to 9999, not {shown}"


def _told(index: int, instants: Sequence[float], timestamps: Sequence[str | float | None]) -> str:
    """A timestamp as it was sent, with the note that it names no zone."""
    value = timestamps[index]
    shown = quoted(value) if isinstance(value, str) else f"{value}"
    return f"{shown} (read as UTC, since it names no zone)" if isinstance(instants[index], Unzoned) else shown


def _path(index: int) -> str:
    return f"data[{index}].timestamp"


# Consecutive requests share all candles but one, so that nearly every timestamp has been read before.
@lru_cache(maxsize=16_384)
def _instant(value: str | float) -> float:
    if not isinstance(value, str):
        # Rounded to the microsecond, as ISO 8601 is: the last bit of the product would make two instants of one.
        return _within(value if abs(value) >= _MILLISECONDS_FROM else round(value * 1000, 3))
    if len(value) > _DATE_LENGTH and value.isdigit():
        raise ValueError  # Python would read milliseconds since 1970 as a date of the year 1710
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        return Unzoned(_within((found.replace(tzinfo=UTC) - _EPOCH) / _MILLISECOND))
    return _within((found - _EPOCH) / _MILLISECOND)


def _within(instant: float) -> float:
    """The same instant. Raises ValueError if ISO 8601 cannot write its date in UTC."""
    if instant < _EARLIEST or round(instant) > _LATEST:  # rounded, as in a candle's key
        raise ValueError
    return instant
