"""Candles from tables: frames of pandas and polars, arrays of NumPy, lists of records, columns.

None of these packages is needed or imported: a table is known by what it can do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.features.candles import Candles, Floats
from core.inference.warnings import NO_TIMESTAMPS, Warned
from server.api.decoding import check_bars
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
    "close": ("close", "c"),
    "volume": ("volume", "v", "tickvolume", "tickvol", "vol", "realvolume"),
}
_WITH_TIME, _WITHOUT_TIME = 6, 5
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_TABLE_RANK = 2


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
    columns = _columns(table)
    missing = [name for name in PRICES if name not in columns]
    if missing:
        raise InvalidInput(f"the table has no column {', '.join(missing)}")
    count = len(columns["open"])
    volume = columns.get("volume")
    values = np.array([_numbers(name, columns[name]) for name in PRICES] + [_volume(volume, count)])
    for name, row, most in zip(FIELDS, values, (MOST_PRICE,) * 4 + (MOST_VOLUME,), strict=True):
        least = 0.0 if name == "volume" else LEAST_PRICE
        wrong = np.flatnonzero(~((row >= least) & (row <= most)))
        if wrong.size:
            raise InvalidInput.at(f"row {wrong[0]}, {name}", f"must be from {least:g} to {most:g}, not {row[wrong[0]]}")
    check_bars(values)
    stamps = columns.get("timestamp")
    times = None if stamps is None else times_of(tuple(map(_stamp, stamps)), timeframe, stamp)
    if times is None:
        return CandleHistory(Candles(values), None, None, (NO_TIMESTAMPS,))
    if times.order is not None:
        values = np.ascontiguousarray(values[:, times.order])
    return CandleHistory(Candles(values), times.opens, times.order, times.warnings)


def _columns(table: Table) -> dict[str, Column]:
    """The columns of a table by their names here; those that are not known are left out."""
    if hasattr(table, "columns") and hasattr(table, "__getitem__"):  # pandas, polars
        found = {str(name): table[name].to_numpy() for name in table.columns}
        index = getattr(table, "index", None)
        if index is not None and hasattr(index, "asi8"):  # a DatetimeIndex
            found.setdefault("timestamp", index.to_numpy())
        return known(found)
    if isinstance(table, np.ndarray):
        return _of_array(table)
    if isinstance(table, Mapping):
        return known(table)
    return _of_rows(list(table))


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
    if isinstance(rows[0], Mapping):
        names = dict.fromkeys(name for row in rows for name in row)
        return known({name: [row.get(name) for row in rows] for name in names})
    if isinstance(rows[0], Sequence) and not isinstance(rows[0], str) and len(rows[0]) >= _WITHOUT_TIME:
        width = min(len(rows[0]), _WITH_TIME)
        fields = ("timestamp", *FIELDS)[-width:]
        return {name: [row[i] for row in rows] for i, name in enumerate(fields)}
    raise InvalidInput.at("row 0", "must be a record with open, high, low and close, or a list [time, open, high, …]")


def known(columns: Mapping[str, Column]) -> dict[str, Column]:
    """The columns that make candles, by the names of their fields. Case, blanks and underscores do not matter."""
    plain = {re.sub(r"[^a-z0-9]", "", str(name).lower()): name for name in columns}
    return {
        field: columns[plain[next(name for name in names if name in plain)]]
        for field, names in _NAMES.items()
        if any(name in plain for name in names)
    }


def _numbers(name: str, column: Column) -> Floats:
    try:
        return np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError):
        pass
    for i, value in enumerate(column):
        try:
            float(value)
        except (TypeError, ValueError):
            raise InvalidInput.at(f"row {i}, {name}", f"must be a number, not {value!r:.60}") from None
    raise InvalidInput.at(name, "is not a column of numbers")


def _volume(column: Column | None, count: int) -> Floats:
    return np.zeros(count) if column is None else _numbers("volume", column)


def _stamp(value: object) -> str | float | None:
    """A time as the service takes it: ISO 8601, or a number since 1970."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else float(value.astype("datetime64[us]").astype(np.int64)) / 1e3
    if isinstance(value, datetime):  # also one of pandas; NaT is not equal to itself
        zoned = value if value.tzinfo else value.replace(tzinfo=UTC)
        return None if value != value else (zoned - _EPOCH) / _MILLISECOND  # noqa: PLR0124
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, np.generic):
        return value.item()  # type: ignore[no-any-return]
    return value  # type: ignore[return-value]
