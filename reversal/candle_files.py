"""Files of candles: CSV as brokers and data providers write it, and JSON as the service takes it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from core.errors import InvalidInput
from core.features.timeframes import PERIODS
from reversal.frames import FIELDS, Table, known

_DELIMITERS = ",;\t"
_SAMPLE = 10  # lines by which a file's form is known
_NAMES = re.compile(r"open|high|low|close", re.IGNORECASE)
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?")
_NUMBER = re.compile(r"-?\d{9,19}(\.\d+)?")
_BEFORE_MICROSECONDS, _BEFORE_NANOSECONDS = 1e14, 1e17
_COMMA = re.compile(r"-?\d+,\d+")
_PARTS = re.compile(r"\W+")

# The forms of a date that cannot mean another day. A date such as 01/02/2017 can.
_FORMS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\d{4}\.\d{2}\.\d{2} \d{2}:\d{2}"), "%Y.%m.%d %H:%M"),
    (re.compile(r"\d{4}\.\d{2}\.\d{2} \d{2}:\d{2}:\d{2}"), "%Y.%m.%d %H:%M:%S"),
    (re.compile(r"\d{4}\.\d{2}\.\d{2}"), "%Y.%m.%d"),
    (re.compile(r"\d{4}/\d{2}/\d{2} \d{2}:\d{2}(:\d{2})?"), ""),
    (re.compile(r"\d{8} \d{6}"), "%Y%m%d %H%M%S"),  # HistData
    (re.compile(r"\d{8} \d{4}"), "%Y%m%d %H%M"),
    (re.compile(r"\d{2}\.\d{2}\.\d{4} \d{2}:\d{2}:\d{2}\.\d{3}"), "%d.%m.%Y %H:%M:%S.%f"),  # Dukascopy
    (re.compile(r"\d{2}\.\d{2}\.\d{4} \d{2}:\d{2}:\d{2}\.\d{3} GMT[+-]\d{4}"), "%d.%m.%Y %H:%M:%S.%f GMT%z"),
    (re.compile(r"\d{2}\.\d{2}\.\d{4} \d{2}:\d{2}(:\d{2})?"), ""),
)


class CandleFile(NamedTuple):
    """A file's candles; pair and timeframe only if the file names them."""

    candles: Table
    pair: str | None = None
    timeframe: str | None = None


def read(text: str, timezone: str = "UTC") -> CandleFile:
    """Read a file's text. Raises InvalidInput, which names the line.

    timezone: of times that name no zone; an IANA name.
    """
    text = text.lstrip("\ufeff")
    if text.lstrip()[:1] in {"{", "["}:
        return _of_json(text)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise InvalidInput("the file is empty")
    delimiter = max(_DELIMITERS, key=lambda each: min(line.count(each) for line in lines[:_SAMPLE]))
    rows = list(csv.reader(lines, delimiter=delimiter))
    header = [cell.strip() for cell in rows[0]] if _NAMES.search(lines[0]) else None
    body = rows[1:] if header else rows
    columns = _columns(header, body) if header else _unnamed(body)
    read_time = _reader_of_times(timezone)
    found: dict[str, list[Any]] = {}
    for name, cells in known(columns).items():
        if name == "timestamp":
            found[name] = [read_time(cell.strip(), i) for i, cell in enumerate(cells)]
        else:
            found[name] = [_decimal(cell, delimiter) for cell in cells]
    return CandleFile(found)


def _of_json(text: str) -> CandleFile:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"not JSON: {error}") from None
    if isinstance(found, dict) and isinstance(found.get("data"), list):
        timeframe = found.get("timeframe")
        return CandleFile(found["data"], found.get("pair"), timeframe if timeframe in PERIODS else None)
    return CandleFile(found)


def _columns(header: list[str], rows: list[list[str]]) -> dict[str, list[str]]:
    """The cells of each named column; date and time of a candle in two columns become one."""
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise InvalidInput.at(f"row {number}", f"has {len(row)} cells, the header has {len(header)}")
    columns = {name.strip("<> "): [row[i] for row in rows] for i, name in enumerate(header)}
    by_name = {name.lower(): name for name in columns}
    if "date" in by_name and "time" in by_name and rows:
        dates, times = columns.pop(by_name["date"]), columns.pop(by_name["time"])
        columns["timestamp"] = [f"{date.strip()} {time.strip()}" for date, time in zip(dates, times, strict=True)]
    if "gmt time" in by_name:
        columns["timestamp"] = columns.pop(by_name["gmt time"])
    return columns


def _unnamed(rows: list[list[str]]) -> dict[str, list[str]]:
    """Files without a header: time, open, high, low, close and volume, in this order, with the date apart or not."""
    names = ["timestamp", *FIELDS]
    width = min(len(row) for row in rows)
    if len(rows[0]) > len(names) and _CLOCK.fullmatch(rows[0][1].strip()):
        rows = [[f"{row[0]} {row[1]}", *row[2:]] for row in rows]
        width -= 1
    if width < len(names) - 1:
        raise InvalidInput.at(
            "row 0",
            f"has {width} cells; a file without a header has time, open, high, low, close, volume in this order",
        )
    return {name: [row[i] for row in rows] for i, name in enumerate(names[:width])}


def _decimal(cell: str, delimiter: str) -> str:
    """A number's text, with a point."""
    cell = cell.strip()
    return cell.replace(",", ".") if delimiter != "," and _COMMA.fullmatch(cell) else cell


def _reader_of_times(timezone: str) -> Callable[[str, int], str | float]:
    zone = ZoneInfo(timezone)

    def read_time(text: str, row: int) -> str | float:
        if _NUMBER.fullmatch(text):
            return _milliseconds(float(text))
        found = _parsed(text)
        if found is None:
            raise InvalidInput.at(
                f"row {row}, timestamp", f"{text!r:.40} can mean several days, or none; write it as 2017-12-29 21:00"
            )
        return found.replace(tzinfo=found.tzinfo or zone).astimezone(UTC).isoformat()

    return read_time


def _milliseconds(number: float) -> float:
    """Seconds and milliseconds are as the service takes them; Binance also writes microseconds."""
    if number < _BEFORE_MICROSECONDS:
        return number
    return number / 1e3 if number < _BEFORE_NANOSECONDS else number / 1e6


def _parsed(text: str) -> datetime | None:
    text = text.removesuffix(" UTC") + ("+00:00" if text.endswith(" UTC") else "")
    for pattern, form in _FORMS:
        if pattern.fullmatch(text):
            return datetime.strptime(text, form) if form else _by_parts(text)  # noqa: DTZ007 - the caller knows the zone
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _by_parts(text: str) -> datetime:
    parts: Sequence[int] = [int(part) for part in _PARTS.split(text)]
    year_first = parts[0] > 31  # noqa: PLR2004 - no day is
    day = parts[:3] if year_first else parts[2::-1]
    return datetime(*day, *parts[3:])  # type: ignore[arg-type]  # noqa: DTZ001
