"""Times in files of candles, as brokers and data providers write them. A date that can mean two days is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from core.errors import InvalidInput

DayOrder: TypeAlias = Literal["dmy", "mdy"]

_NUMBER = re.compile(r"-?\d{9,19}(\.\d+)?")
_DATE_AS_NUMBER = re.compile(r"(19|20)\d{10}(\d\d)?")  # 201712292100 is also a number of milliseconds
_BEFORE_MICROSECONDS, _BEFORE_NANOSECONDS = 1e14, 1e17
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NOON = 12

_REST = (
    r"(?:(?:T|,|\s|,\s|\s\s)(?P<hour>\d{1,2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?"
    r"\s?(?P<half>[AaPp][Mm])?)?\s?(?P<zone>Z|UTC|GMT|(?:GMT|UTC)?[+-]\d{2}(?::?\d{2})?)?"
)
_FORMS = tuple(
    re.compile(date + _REST)
    for date in (
        r"(?P<year>\d{4})(?P<between>[-./])(?P<month>\d{1,2})(?P=between)(?P<day>\d{1,2})",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
        r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})",
        r"(?P<day>\d{1,2})[- ](?P<name>[A-Za-z]{3})[a-z]*,?[- ](?P<year>\d{4})",
        r"(?P<name>[A-Za-z]{3})[a-z]* (?P<day>\d{1,2}), ?(?P<year>\d{4})",
    )
)
_UNORDERED = re.compile(r"(?P<first>\d{1,2})[/-](?P<other>\d{1,2})[/-](?P<year>\d{4})" + _REST)


def reader_of_times(zone: str, dates: DayOrder | None) -> Callable[[str, int], str | float]:
    """A function that reads the time of a row: ISO 8601 with its zone, or milliseconds since 1970.

    zone: of times that name none. dates: the order of day and month where it cannot be seen.
    It raises InvalidInput, which names the row.
    """
    default = ZoneInfo(zone)

    def read_time(text: str, row: int) -> str | float:
        place = f"row {row}, timestamp"
        try:
            if (time := _read_time(text, default, dates)) is not None:
                return time
        except (ValueError, OverflowError) as error:
            raise InvalidInput.at(place, f"{text!r:.40} is no day of the calendar: {error}") from None
        if _UNORDERED.fullmatch(text):
            message = f"{text!r:.40} does not say which is the day and which the month; add --dates dmy or --dates mdy"
            raise InvalidInput.at(place, message)
        raise InvalidInput.at(place, f"{text!r:.40} cannot be read as a time; write it as 2017-12-29 21:00")

    return read_time


# Files of several pairs have the same times.
@lru_cache(maxsize=1 << 16)
def _read_time(text: str, default: ZoneInfo, dates: DayOrder | None) -> str | float | None:
    """The time, or None if it has none of the forms. Raises ValueError or OverflowError."""
    if _NUMBER.fullmatch(text) and not _DATE_AS_NUMBER.fullmatch(text):
        return _milliseconds(float(text))
    found = _parsed(text, dates)
    return None if found is None else found.replace(tzinfo=found.tzinfo or default).astimezone(UTC).isoformat()


def is_time(text: str) -> bool:
    """Whether a text has the form of a time."""
    return any(form.fullmatch(text) for form in (_NUMBER, *_FORMS, _UNORDERED))


def _milliseconds(number: float) -> float:
    """Seconds and milliseconds are as the service takes them; Binance also writes microseconds."""
    if number < _BEFORE_MICROSECONDS:
        return number
    return number / 1e3 if number < _BEFORE_NANOSECONDS else number / 1e6


def _parsed(text: str, dates: DayOrder | None) -> datetime | None:
    found = next((match for form in _FORMS if (match := form.fullmatch(text))), None)
    if found is not None:
        parts = found.groupdict()
        number = _MONTHS.index(parts["name"].lower()) + 1 if "name" in parts else int(parts["month"])
        return _moment(int(parts["year"]), number, int(parts["day"]), parts)
    if dates is not None and (found := _UNORDERED.fullmatch(text)) is not None:
        parts = found.groupdict()
        day, month = ("first", "other") if dates == "dmy" else ("other", "first")
        return _moment(int(parts["year"]), int(parts[month]), int(parts[day]), parts)
    return None


def _moment(year: int, month: int, day: int, parts: dict[str, str | None]) -> datetime:
    hour = int(parts["hour"] or 0)
    if parts["half"]:
        if not 1 <= hour <= _NOON:
            raise ValueError(f"there is no {hour} {parts['half']}")
        hour = hour % _NOON + (_NOON if parts["half"].lower() == "pm" else 0)
    microsecond = int((parts["fraction"] or "0")[:6].ljust(6, "0"))
    clock = (hour, int(parts["minute"] or 0), int(parts["second"] or 0), microsecond)
    return datetime(year, month, day, *clock, tzinfo=_zone(parts["zone"]))


def _zone(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    offset = text.removeprefix("GMT").removeprefix("UTC").replace(":", "")
    if offset in {"", "Z"}:
        return UTC
    minutes = int(offset[1:3]) * 60 + int(offset[3:] or 0)
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
