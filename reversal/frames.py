"""Candles from tables: frames of pandas and polars, arrays of NumPy, lists of records, columns.

None of these packages is needed or imported: a table is known by what it can do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.features.candles import Candles, Floats
from core.features.timeframes import PERIODS
from core.inference.warnings import NO_TIMESTAMPS, Warned
from server.api.candle_forms import check_bars
from server.api.schemas.predictions import LEAST_PRICE, MOST_PRICE, MOST_VOLUME, Stamp
from server.api.timestamps import times_of

# A table of any of these kinds; its package may be absent, so it has no type here.
Table: TypeAlias = Any
Column: TypeAlias = Sequence[Any] | NDArray[Any]

PRICES = ("open", "high", "low", "close")
FIELDS = (*PRICES, "volume")
# The names of a column, without case and without what is neither letter nor digit.
_NAMES = {
    "timestamp": ("timestamp", "time", "datetime", "date", "opentime", "gmttime", "localtime", "t", "ts"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c", "price"),  # price: Investing.com
    "volume": ("volume", "v", "tickvolume", "tickvol", "vol", "realvolume"),
}
_WITH_TIME, _WITHOUT_TIME = 6, 5
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_TABLE_RANK = 2
_LEAST_MILLISECONDS = 1e11


class CandleHistory(NamedTuple):
    """Candles, checked and oldest first.

    opens: when each begins, in milliseconds since 1970; None if they have no timestamps. order: the row of each in the
    table; None if they are in its order.
    """

    candles: Candles
    opens: tuple[float, ...] | None
    order: tuple[int, ...] | None
    warnings: tuple[Warned, ...]

    def __len__(self) -> int:
        return len(self.candles)


def history(table: Table, timeframe: str, stamp: Stamp | None = None) -> CandleHistory:
    """Read and check a table, with the rules of the service. Raises InvalidInput, which names the row and the column.

    stamp: whether a time is that of the opening (default) or of the closing.
    """
    if timeframe not in PERIODS:
        raise InvalidInput.at("timeframe", f"must be one of {', '.join(PERIODS)}, not {timeframe!r:.40}")
    if stamp not in {None, *get_args(Stamp)}:
        raise InvalidInput.at("timestamps", f"must be one of {', '.join(get_args(Stamp))}, not {stamp!r:.40}")
    columns = columns_of(table)
    missing = [name for name in PRICES if name not in columns]
    if missing:
        raise InvalidInput(f"the table has no column {', '.join(missing)}")
    values = np.array([_numbers(name, columns[name]) for name in FIELDS if name in columns])
    if "volume" not in columns:
        values = np.vstack([values, np.zeros(values.shape[1])])
    for name, row, most in zip(FIELDS, values, (MOST_PRICE,) * 4 + (MOST_VOLUME,), strict=True):
        least = 0.0 if name == "volume" else LEAST_PRICE
        wrong = np.flatnonzero(~((row >= least) & (row <= most)))
        if wrong.size:
            raise InvalidInput.at(f"row {wrong[0]}, {name}", f"must be from {least:g} to {most:g}, not {row[wrong[0]]}")
    check_bars(values)
    stamps = columns.get("timestamp")
    times = None if stamps is None else times_of(tuple(map(_stamp, stamps, range(len(stamps)))), timeframe, stamp)
    if times is None:
        return CandleHistory(Candles(values), None, None, (NO_TIMESTAMPS,))
    if times.order is not None:
        values = np.ascontiguousarray(values[:, times.order])
    return CandleHistory(Candles(values, np.array(times.opens)), times.opens, times.order, times.warnings)


def columns_of(table: Table) -> dict[str, Column]:
    """The columns of a table by the names of their fields; others are left out. All have one length.

    Raises InvalidInput for what is no table of candles.
    """
    columns = _columns(table)
    lengths = {}
    for name, column in columns.items():
        if not isinstance(column, Sequence | np.ndarray) or isinstance(column, str | bytes) or np.ndim(column) == 0:
            raise InvalidInput.at(name, f"must be a list of values, not {type(column).__name__}")
        lengths[name] = len(column)
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise InvalidInput(f"the columns differ in length: {shown}")
    return columns


def _columns(table: Table) -> dict[str, Column]:
    if hasattr(table, "collect_schema") and hasattr(table, "collect") and not hasattr(table, "to_numpy"):
        raise InvalidInput("a lazy frame; call .collect() first")
    if hasattr(table, "columns") and hasattr(table, "__getitem__"):  # pandas, polars
        names = [_one_name(name) for name in table.columns]
        check_names(names)
        positions = enumerate(names)
        found = {
            name: (table.iloc[:, i] if hasattr(table, "iloc") else table[name]).to_numpy()
            for i, name in positions
            if field_of(name)
        }
        index = getattr(table, "index", None)
        if index is not None:
            if hasattr(index, "to_timestamp"):  # periods
                index = index.to_timestamp()
            if getattr(index.dtype, "kind", "") == "M" or field_of(str(index.name)) == "timestamp":
                found = {"timestamp": index.to_numpy()} | found
        return known(found)
    if isinstance(table, np.ndarray):
        return _of_array(table)
    if isinstance(table, Mapping):
        if {"columns", "data"} <= table.keys():  # pandas' orient="split", and rows as the service takes them
            rows = [dict(zip(table["columns"], row, strict=False)) for row in table["data"]]
            return _of_rows(rows)
        return known(table)
    if isinstance(table, str | bytes) or not isinstance(table, Iterable):
        raise InvalidInput(f"not a table of candles: {type(table).__name__} {table!r:.40}")
    return _of_rows(list(table))


def _one_name(name: object) -> str:
    """The name of a column; of several levels, as yfinance has them, the one that names a field."""
    parts = name if isinstance(name, tuple) else (name,)
    return str(next((part for part in parts if field_of(str(part))), parts[0]))


def _of_array(table: NDArray[Any]) -> dict[str, Column]:
    if table.dtype.names:
        return known({name: table[name] for name in table.dtype.names})
    if table.ndim != _TABLE_RANK or table.shape[1] not in (_WITHOUT_TIME, _WITH_TIME):
        raise InvalidInput(
            f"an array must be (candles, 5): open, high, low, close, volume; or (candles, 6), with the time first; "
            f"not {table.shape}"
        )
    names = ("timestamp", *FIELDS)[-table.shape[1] :]
    return dict(zip(names, table.T, strict=True))


def _of_rows(rows: list[Any]) -> dict[str, Column]:
    if not rows:
        return dict.fromkeys(FIELDS, ())
    rows = [row._asdict() if hasattr(row, "_asdict") else row for row in rows]  # of itertuples
    if isinstance(rows[0], Mapping):
        _check_rows(rows, Mapping, 0)
        names = dict.fromkeys(name for row in rows for name in row)
        return known({name: [row.get(name) for row in rows] for name in names})
    if isinstance(rows[0], Sequence) and not isinstance(rows[0], str | bytes) and len(rows[0]) >= _WITHOUT_TIME:
        width = min(len(rows[0]), _WITH_TIME)
        _check_rows(rows, Sequence, width)
        fields = ("timestamp", *FIELDS)[-width:]
        return {name: [row[i] for row in rows] for i, name in enumerate(fields)}
    raise InvalidInput.at("row 0", "must be a record with open, high, low and close, or a list [time, open, high, …]")


def _check_rows(rows: list[Any], kind: type[Sequence[Any] | Mapping[Any, Any]], least: int) -> None:
    for i, row in enumerate(rows):
        if not isinstance(row, kind) or len(row) < least:
            raise InvalidInput.at(f"row {i}", f"must be as row 0, not {row!r:.60}")


def known(columns: Mapping[str, Column]) -> dict[str, Column]:
    """The columns that make candles, by the names of their fields. Case, blanks and underscores do not matter.

    Raises InvalidInput for two columns of one name.
    """
    check_names(columns)
    plain = {_plain(name): name for name in columns}
    return {
        field: columns[plain[next(name for name in names if name in plain)]]
        for field, names in _NAMES.items()
        if any(name in plain for name in names)
    }


def check_names(names: Iterable[object]) -> None:
    """Raise InvalidInput if two columns have the same name, and it is that of a field of candles."""
    counted = Counter(_plain(name) for name in names)
    for name, count in counted.items():
        if count > 1 and field_of(name):
            raise InvalidInput(f"{count} columns are named {name}; keep the one of these candles")


def _plain(name: object) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def field_of(name: str) -> str | None:
    """The field of candles that a column with this name has."""
    plain = _plain(name)
    return next((field for field, names in _NAMES.items() if plain in names), None)


def _numbers(name: str, column: Column) -> Floats:
    """A column as (n,) numbers; a masked value becomes NaN, which is refused with its row."""
    try:
        numbers: Floats = np.asarray(column, dtype=np.float64)
        if isinstance(column, np.ma.MaskedArray):
            numbers = np.where(np.ma.getmaskarray(column), np.nan, numbers)
        if numbers.ndim == 1:
            return numbers
    except (TypeError, ValueError):
        pass
    for i, value in enumerate(column):
        try:
            float(value)
        except (TypeError, ValueError):
            raise InvalidInput.at(f"row {i}, {name}", f"must be a number, not {value!r:.60}") from None
    raise InvalidInput.at(name, "is not a column of numbers")


def _stamp(value: object, row: int) -> str | float | None:
    """A time as the service takes it: ISO 8601, or a number since 1970. Raises InvalidInput."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else _instant(value.astype("datetime64[us]").astype(np.int64) / 1e3)
    if isinstance(value, datetime):  # also one of pandas; NaT is not equal to itself
        zoned = value if value.tzinfo else value.replace(tzinfo=UTC)
        return None if value != value else _instant((zoned - _EPOCH) / _MILLISECOND)  # noqa: PLR0124
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | int | float):
        return value
    raise InvalidInput.at(f"row {row}, timestamp", f"must be a time, not {value!r:.60}")


def _instant(milliseconds: float) -> str | float:
    """Before 1973 as text, because the service takes so small a number for seconds."""
    if milliseconds >= _LEAST_MILLISECONDS:
        return float(milliseconds)
    return (_EPOCH + timedelta(milliseconds=float(milliseconds))).isoformat()
