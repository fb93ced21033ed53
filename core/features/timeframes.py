"""Timeframes: how long the period of a candle is. Instants are milliseconds since 1970, UTC."""

from __future__ import annotations

from calendar import monthrange
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import Literal, TypeAlias

Timeframe: TypeAlias = Literal["1min", "5min", "15min", "30min", "1h", "4h", "1d", "1w", "1M"]

_MINUTE = 60_000.0
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
# Milliseconds; of a calendar month the mean, since its own length depends on where it stands.
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
    """The instant that many periods later, or earlier. Raises OverflowError where that is not in the years 1 to 9999.

    A month later is the same day of the next month; its last day where that month is shorter, or where it was one.
    """
    if timeframe != _MONTH:
        moved = instant + periods * PERIODS[timeframe]
        _ = moment(moved)
        return moved
    before = moment(instant)
    year, month = divmod(before.year * 12 + before.month - 1 + periods, 12)
    if not MINYEAR <= year <= MAXYEAR:
        raise OverflowError(f"year {year} cannot be written")
    last = monthrange(year, month + 1)[1]
    # Months that begin at midnight elsewhere begin, in UTC, in the evening of the last day of the month before.
    is_last = before.day == monthrange(before.year, before.month)[1]
    after = before.replace(year=year, month=month + 1, day=last if is_last else min(before.day, last))
    return (after - _EPOCH) / _MILLISECOND


def moment(instant: float) -> datetime:
    """The instant as a datetime in UTC. Raises OverflowError beyond the years 1 to 9999."""
    return _EPOCH + timedelta(milliseconds=instant)


def iso(instant: float) -> str | None:
    """The instant as ISO 8601 in UTC with `Z`, with a fraction where it has one; null beyond the years 1 to 9999."""
    try:
        return moment(instant).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None
