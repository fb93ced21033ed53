"""Timeframes: the length of a candle's period. Instants are milliseconds since 1970, UTC."""

from __future__ import annotations

from calendar import monthrange
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import Literal, TypeAlias

Timeframe: TypeAlias = Literal["1min", "5min", "15min", "30min", "1h", "4h", "1d", "1w", "1M"]

_MINUTE = 60_000.0
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
# In milliseconds. For the calendar month it is the mean length, because the length depends on the month.
PERIODS: dict[str, float] = {
    "1min": _MINUTE,
    "5min": 5 * _MINUTE,
    "15min": 15 * _MINUTE,
    "30min": 30 * _MINUTE,
    "1h": _HOUR,
    "4h": 4 * _HOUR,
    "1d": _DAY,
    "1w": 7 * _DAY,
    "1M": 365.2425 / 12 * _DAY,
}
_MONTH = "1M"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def shifted(instant: float, timeframe: str, periods: int) -> float:
    """Return the instant `periods` periods later, or earlier if negative.

    A month later is the same day of the next month. It is the last day of the next month if that month is shorter, or
    if the instant is on the last day of its own month. Raises OverflowError outside the years 1 to 9999.
    """
    if timeframe != _MONTH:
        moved = instant + periods * PERIODS[timeframe]
        _ = moment(moved)
        return moved
    before = moment(instant)
    year, month = divmod(before.year * 12 + before.month - 1 + periods, 12)
    if not MINYEAR <= year <= MAXYEAR:
        raise OverflowError(f"year {year} is not within {MINYEAR} to {MAXYEAR}")
    last = monthrange(year, month + 1)[1]
    # A month that begins at midnight in a time zone east of UTC begins in UTC on the last evening of the month before.
    is_last = before.day == monthrange(before.year, before.month)[1]
    after = before.replace(year=year, month=month + 1, day=last if is_last else min(before.day, last))
    return (after - _EPOCH) / _MILLISECOND


def moment(instant: float) -> datetime:
    """Return the instant as a datetime in UTC. Raises OverflowError outside the years 1 to 9999."""
    return _EPOCH + timedelta(milliseconds=instant)


def iso(instant: float) -> str | None:
    """Format the instant as ISO 8601 in UTC with `Z`, with a fraction if needed; None outside the years 1 to 9999."""
    try:
        return moment(instant).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None
