"""Tables of every kind give the same candles, and a fault is named by row and column."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.errors import InvalidInput
from reversal.frames import FIELDS, CandleHistory, history

OPENS = [datetime(2024, 1, 2, hour, tzinfo=UTC) for hour in range(4)]
ROWS = [
    {"timestamp": at.isoformat(), "open": 1.1, "high": 1.2, "low": 1.0, "close": 1.1 + i / 100, "volume": float(i)}
    for i, at in enumerate(OPENS)
]
FRAME = pd.DataFrame(ROWS).assign(timestamp=OPENS)
MILLISECONDS = [at.timestamp() * 1e3 for at in OPENS]


def columns() -> dict[str, list[Any]]:
    return {name: [row[name] for row in ROWS] for name in ROWS[0]}


class Polars:
    """What is used of a frame of polars, whose package is not among the tests' packages."""

    def __init__(self, found: dict[str, list[Any]]) -> None:
        self._found = found
        self.columns = list(found)

    def __getitem__(self, name: str) -> pd.Series[Any]:
        return pd.Series(self._found[name])


TABLES: dict[str, Callable[[], Any]] = {
    "records": lambda: ROWS,
    "columns": columns,
    "pandas": lambda: FRAME,
    "pandas with capitals": lambda: FRAME.rename(columns=str.capitalize).rename(columns={"Timestamp": "Date"}),
    "pandas, time as index": lambda: FRAME.set_index("timestamp"),
    "pandas, naive index": lambda: FRAME.set_index(FRAME.timestamp.dt.tz_localize(None)).drop(columns="timestamp"),
    "pandas, another zone": lambda: FRAME.assign(timestamp=FRAME.timestamp.dt.tz_convert("America/New_York")),
    "pandas, named index of texts": lambda: pd.DataFrame(ROWS).set_index("timestamp"),
    "pandas, periods": lambda: FRAME.set_index(pd.PeriodIndex(FRAME.timestamp.dt.tz_localize(None), freq="h")).drop(
        columns="timestamp"
    ),
    "pandas, two levels of names": lambda: FRAME.set_index("timestamp").set_axis(
        pd.MultiIndex.from_product([map(str.capitalize, FIELDS), ["EURUSD=X"]]), axis=1
    ),
    "rows of itertuples": lambda: list(pd.DataFrame(ROWS).itertuples()),
    "polars": lambda: Polars(columns()),
    "lists, as ccxt": lambda: [
        [at, *(row[name] for name in FIELDS)] for at, row in zip(MILLISECONDS, ROWS, strict=True)
    ],
    "columns and data, as of to_json": lambda: {
        "columns": ["timestamp", *FIELDS],
        "data": [[at, *(row[name] for name in FIELDS)] for at, row in zip(MILLISECONDS, ROWS, strict=True)],
    },
    "an array with times": lambda: np.column_stack([MILLISECONDS, FRAME[list(FIELDS)].to_numpy()]),
    "a structured array": lambda: FRAME.assign(timestamp=MILLISECONDS).to_records(index=False),
    "newest first": lambda: ROWS[::-1],
    "datetimes of another zone": lambda: [
        row | {"timestamp": at.astimezone(timezone(timedelta(hours=2)))} for at, row in zip(OPENS, ROWS, strict=True)
    ],
}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES.keys())
def test_every_table_gives_the_same_candles(make: Callable[[], Any]) -> None:
    found = history(make(), "1h")
    assert [column.tolist() for column in (getattr(found.candles, name) for name in FIELDS)] == FRAME[
        list(FIELDS)
    ].to_numpy().T.tolist()
    assert found.opens == tuple(MILLISECONDS)
    assert found.warnings == ()


@pytest.mark.parametrize("kind", ["datetime64[ns]", "object"])
def test_times_before_1973_are_no_seconds(kind: str) -> None:
    opens = pd.date_range("1971-01-04", periods=4, freq="400D")
    found = history(FRAME.assign(timestamp=opens.astype(kind)), "1d")
    assert found.opens == tuple(each.timestamp() * 1e3 for each in opens)


def test_times_can_be_those_of_the_closing() -> None:
    assert history(ROWS, "1h", "close").opens == tuple(at - 3_600_000 for at in MILLISECONDS)


def test_without_times_it_warns() -> None:
    found = history(FRAME[list(FIELDS)].to_numpy(), "1h")
    assert (found.opens, [each.code for each in found.warnings]) == (None, ["NO_TIMESTAMPS"])


def test_volume_is_0_without_one() -> None:
    found: CandleHistory = history([{name: row[name] for name in FIELDS if name != "volume"} for row in ROWS], "1h")
    assert found.candles.volume.tolist() == [0.0] * 4


@pytest.mark.parametrize(
    ("row", "change", "path"),
    [
        (2, {"close": "x"}, "row 2, close"),
        (1, {"open": None}, "row 1, open"),
        (0, {"low": 0.0}, "row 0, low"),
        (3, {"volume": -1.0}, "row 3, volume"),
        (3, {"high": float("nan")}, "row 3, high"),
        (2, {"low": 1.11}, "data[2].low"),
        (1, {"timestamp": "yesterday"}, "data[1].timestamp"),
        (1, {"timestamp": ROWS[0]["timestamp"]}, "data[1].timestamp"),
    ],
)
def test_a_fault_is_named_by_its_place(row: int, change: dict[str, Any], path: str) -> None:
    rows = [dict(each) for each in ROWS]
    rows[row] |= change
    with pytest.raises(InvalidInput) as caught:
        history(rows, "1h")
    assert str(caught.value).startswith(f"{path}: ")


COLUMN = [1.0, 1.0]
PLAIN = {"open": COLUMN, "high": COLUMN, "low": COLUMN, "close": COLUMN}
MASKED = np.ma.masked_array(np.ones((3, 5)), mask=np.arange(15).reshape(3, 5) == 8)


@pytest.mark.parametrize(
    ("table", "named"),
    [
        (None, "NoneType"),
        (3, "int"),
        ("candles.csv", "candles.csv"),
        (b"candles", "bytes"),
        ([ROWS[0], [1.0]], "row 1"),
        ([[1.0] * 6, [1.0, 2.0]], "row 1"),
        (PLAIN | {"open": 1.0}, "open"),
        (PLAIN | {"open": "12"}, "open"),
        pytest.param(PLAIN | {"open": iter(COLUMN)}, "open", id="an iterator as a column"),
        (PLAIN | {"open": [[1.0], [1.0]]}, "open"),
        (PLAIN | {"volume": [1.0]}, "volume has 1"),
        (PLAIN | {"timestamp": ["2017-01-01"]}, "timestamp has 1"),
        (PLAIN | {"timestamp": [[1], [2]]}, "row 0, timestamp"),
        (PLAIN | {"Close": COLUMN}, "close"),
        (
            pd.DataFrame(np.ones((2, 5)), columns=[*PLAIN, "close"]),
            "close",
        ),
        (MASKED, "row 1, close"),
    ],
    ids=str,
)
def test_a_table_with_a_fault_is_refused_by_name(table: object, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        history(table, "1h")


def test_timeframe_and_stamp_are_checked() -> None:
    with pytest.raises(InvalidInput, match="timeframe"):
        history(ROWS, "2h")
    with pytest.raises(InvalidInput, match="timestamps"):
        history(ROWS, "1h", "middle")  # type: ignore[arg-type]


@pytest.mark.parametrize("table", [[{"open": 1.0}], [1, 2], np.ones((3, 4)), np.ones(3), {"price": [1.0]}], ids=str)
def test_what_is_no_table_of_candles_is_refused(table: object) -> None:
    with pytest.raises(InvalidInput):
        history(table, "1h")
