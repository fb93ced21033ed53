"""Files of candles: CSV as brokers and data providers write it, and JSON as the service takes it."""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any, NamedTuple

from core.errors import InvalidInput
from core.features.timeframes import PERIODS
from reversal.candle_times import DayOrder, is_time, reader_of_times
from reversal.frames import FIELDS, PRICES, Table, check_names, columns_of, field_of, known
from reversal.pairs import pair_of

_PRICES = {"open", "high", "low"}  # of a header; the close has several names
_DELIMITERS = ",;\t|"
_SAMPLE = 10  # lines by which a file's form is known
_LARGEST = 1 << 30  # bytes, unpacked
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?|\d{4}|\d{6}")
_DATE_COLUMNS = ("date", "dtyyyymmdd", "datum")
_CLOCK_COLUMNS = ("time", "timestamp")
_PAIR_COLUMNS = ("pair", "symbol", "ticker", "instrument")
_ZONE = re.compile(r"\((.+)\)|\b(gmt|utc)\b", re.IGNORECASE)
_UTC = ("gmt", "utc")
_GROUPS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")  # of thousands
_MULTIPLES = {"K": 1e3, "M": 1e6, "B": 1e9}
_LISTS = ("data", "candles", "values")  # of predict, OANDA, Twelve Data


class CandleFile(NamedTuple):
    """A file's candles; pair, timeframe and the meaning of its times only if the file names them."""

    candles: Table
    pair: str | None = None
    timeframe: str | None = None
    timestamps: Any = None


def decoded(data: bytes) -> str:
    """The text of a file, also of a gzip file. Raises InvalidInput."""
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.GzipFile(fileobj=BytesIO(data)).read(_LARGEST + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise InvalidInput(f"a gzip file that cannot be unpacked: {error}") from None
        if len(data) > _LARGEST:
            raise InvalidInput(f"larger than {_LARGEST >> 20} MiB unpacked; cut it into parts")
    if data[:4] == b"PK\x03\x04":
        raise InvalidInput("a zip archive; unpack it, and name the file in it")
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if wide else "utf-16-le" if data[1:2] == b"\0" else "utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("not text in UTF-8 or UTF-16; in a spreadsheet, save it as CSV UTF-8") from None
    return text.rstrip("\x1a\0")  # MS-DOS ended files with 1a


def read(text: str, timezone: str | None = None, dates: DayOrder | None = None) -> CandleFile:
    """Read a file's text. Raises InvalidInput, which names the row; the first candle is row 0.

    timezone: of times that name no zone; an IANA name, default UTC. dates: the order of day and month in dates such as
    01/02/2017, which are refused without it.
    """
    text = text.lstrip("\ufeff")
    if text.lstrip()[:1] in {"{", "["}:
        return _of_json(text, timezone, dates)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise InvalidInput("the file is empty")
    try:
        columns, delimiter = _of_csv(lines)
    except csv.Error as error:
        raise InvalidInput(f"not CSV: {error}") from None
    pair = _pair(columns)
    columns, zone = _with_time(columns, timezone)
    found: dict[str, Any] = dict(known(columns))
    if "timestamp" in found:
        read_time = reader_of_times(zone, dates)
        found["timestamp"] = [read_time(cell.strip(), i) for i, cell in enumerate(found["timestamp"])]
    number = _reader_of_numbers([cell for name in PRICES for cell in found.get(name, ())], delimiter)
    for name in FIELDS:
        if name in found:
            found[name] = [number(cell.strip()) for cell in found[name]]
    if "volume" in found:
        found["volume"] = [_volume(cell) for cell in found["volume"]]
    return CandleFile(found, pair)


def _pair(columns: dict[str, list[str]]) -> str | None:
    """The pair that a column names, if there is such a column. Raises InvalidInput for several."""
    named = next((cells for name, cells in columns.items() if name.lower() in _PAIR_COLUMNS), [])
    pairs = {cell: pair_of(cell) for cell in set(named)}
    if len(pairs) > 1 and any(pairs.values()):
        raise InvalidInput(f"candles of several pairs: {', '.join(sorted(pairs)):.60}; write a file for each")
    return next(iter(pairs.values()), None)


def _of_json(text: str, timezone: str | None, dates: DayOrder | None) -> CandleFile:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"not JSON: {error}") from None
    table, said = found, {}
    if isinstance(found, dict) and (name := next((n for n in _LISTS if isinstance(found.get(n), list | dict)), None)):
        table, said = found[name], found
    if isinstance(table, list):  # OANDA has the prices of a candle in an object of their own
        table = [
            row | row["mid"] if isinstance(row, dict) and isinstance(row.get("mid"), dict) else row for row in table
        ]
    timeframe = said.get("timeframe")
    if timeframe is not None and (not isinstance(timeframe, str) or timeframe not in PERIODS):
        raise InvalidInput.at("timeframe", f"must be one of {', '.join(PERIODS)}, not {timeframe!r:.40}")
    if timezone is not None:
        table = columns_of(table)
        read_time = reader_of_times(timezone, dates)
        if "timestamp" in table:
            times = enumerate(table["timestamp"])
            table["timestamp"] = [read_time(each, i) if isinstance(each, str) else each for i, each in times]
    return CandleFile(table, said.get("pair"), timeframe, said.get("timestamps"))


def _of_csv(lines: list[str]) -> tuple[dict[str, list[str]], str]:
    """The cells of each column, and what separates them. Lines above a header are left out."""
    for start, line in enumerate(lines[:_SAMPLE]):
        for delimiter in _DELIMITERS:
            header = [cell.strip(' <>"') for cell in next(csv.reader([line], delimiter=delimiter))]
            if {*map(field_of, header)} >= _PRICES:
                check_names(header)
                rows = list(csv.reader(lines[start + 1 :], delimiter=delimiter))
                if rows and rows[0][0] == "Ticker":  # yfinance: three lines of headers
                    rows = rows[2:]
                return _columns(header, rows), delimiter
    delimiter = max(_DELIMITERS, key=lambda each: min(line.count(each) for line in lines[:_SAMPLE]))
    rows = list(csv.reader(lines, delimiter=delimiter))
    if len(rows[0]) > len(FIELDS) + 1 and _CLOCK.fullmatch(rows[0][1].strip()):
        rows = [[" ".join(row[:2]), *row[2:]] for row in rows]
    if len(rows[0]) < len(FIELDS) or not is_time(rows[0][0].strip()):
        raise InvalidInput.at(
            "row 0",
            f"no line names the columns open, high, low and close, and without such a line {lines[0]!r:.60} must be "
            "time, open, high, low, close, volume in this order",
        )
    return _columns(("timestamp", *FIELDS)[: len(rows[0])] + ("",) * (len(rows[0]) - len(FIELDS) - 1), rows), delimiter


def _columns(header: Sequence[str], rows: list[list[str]]) -> dict[str, list[str]]:
    for number, row in enumerate(rows):
        if len(row) < len(header) or any(cell.strip() for cell in row[len(header) :]):
            shown = " ".join(row)
            message = (
                f"has {len(row)} cells instead of {len(header)}: {shown!r:.60}; remove the line if it is no candle"
            )
            raise InvalidInput.at(f"row {number}", message)
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}


def _with_time(columns: dict[str, list[str]], timezone: str | None) -> tuple[dict[str, list[str]], str]:
    """The columns with the whole time in `timestamp`, if there is one; and its zone."""
    by_name = {name.lower(): name for name in columns}
    date = next((by_name[name] for name in _DATE_COLUMNS if name in by_name), None)
    clock = next((by_name[name] for name in _CLOCK_COLUMNS if name in by_name), None)
    if date and clock and columns[clock] and _CLOCK.fullmatch(columns[clock][0].strip()):
        dates, times = columns.pop(date), columns.pop(clock)
        return columns | {"timestamp": [f"{a.strip()} {b.strip()}" for a, b in zip(dates, times, strict=True)]}, (
            timezone or "UTC"
        )
    named = {_ZONE.sub("", name).strip(): name for name in columns if _ZONE.search(name)}
    for plain, name in named.items():
        if field_of(plain) == "timestamp":
            (zone,) = [each for each in _ZONE.findall(name)[0] if each]
            if zone.lower() not in _UTC and timezone is None:
                raise InvalidInput(f"the column {name!r} names a zone; give it with --timezone, such as Europe/Athens")
            in_utc = zone.lower() in _UTC
            return columns | {"timestamp": columns[name]}, "UTC" if in_utc or timezone is None else timezone
    first = next(iter(columns))
    if "timestamp" not in known(columns) and columns[first] and is_time(columns[first][0].strip()):
        columns = columns | {"timestamp": columns[first]}
    return columns, timezone or "UTC"


def _reader_of_numbers(prices: list[str], delimiter: str) -> Callable[[str], str]:
    """A function that writes a number with a decimal point and without separators of thousands.

    One file has one form of numbers, which its prices tell. Raises InvalidInput if they do not.
    """
    with_comma = [cell for cell in prices if "," in cell]
    both = next((cell for cell in with_comma if "." in cell), None)
    decimal_comma = False
    if both is not None:
        decimal_comma = both.rindex(",") > both.rindex(".")
    elif with_comma and not any("." in cell for cell in prices):
        if delimiter == "," and all(_GROUPS.fullmatch(cell.strip()) for cell in with_comma):
            raise InvalidInput(f"{with_comma[0]} can mean two numbers; write it with a decimal point")
        decimal_comma = True

    def plain(cell: str) -> str:
        if not decimal_comma and "," not in cell:
            return cell
        pointed = cell.translate(_SWAPPED) if decimal_comma else cell
        return pointed.replace(",", "") if _GROUPS.fullmatch(pointed.rstrip("KMB")) else pointed

    return plain


_SWAPPED = str.maketrans(",.", ".,")


def _volume(cell: str) -> str | float:
    """A volume such as 12.5K. Without one it is 0, as for the service."""
    if cell in {"", "-"}:
        return 0.0
    multiple = _MULTIPLES.get(cell[-1])
    try:
        return cell if multiple is None else float(cell[:-1]) * multiple
    except ValueError:
        return cell
