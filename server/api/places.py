"""The paths in errors of places in a request's body, such as `data[17].high` and `features.stage2[3][4]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Self

from core.errors import InvalidInput
from core.inference.places import CandlePlaces, WindowPlaces

# A place that the checks of candles name, as if candles were objects.
_OF_CANDLE = re.compile(r"data\[(?P<index>\d+)\]\.(?P<field>\w+)")


class PathsOfWindows(WindowPlaces):
    """Paths in the windows at `path` of the body."""

    form_by_stage = '{"stage1": [[...]], "stage2": [[...]]}'

    def __init__(self, path: str) -> None:
        self._path = path

    def window(self, stage: str | None) -> str:
        """The path of a whole window."""
        return self._path if stage is None else f"{self._path}.{stage}"

    def row(self, stage: str | None, row: int) -> str:
        """The path of one of its rows."""
        return f"{self.window(stage)}[{row}]"

    def value(self, stage: str | None, row: int, column: int) -> str:
        """The path of one of its values."""
        return f"{self.row(stage, row)}[{column}]"


class PathsOfCandles(CandlePlaces):
    """Paths in the body's `data`, an array of objects.

    order: the position in it of each candle, oldest first; null if it has them in this order.
    """

    series = "data"

    def __init__(self, order: Sequence[int] | None = None) -> None:
        self._order = order

    def sorted(self, order: Sequence[int]) -> Self:
        """The same for candles that are sorted."""
        return type(self)(order)

    def number(self, index: int) -> int:
        """The position of a candle in `data`."""
        return index if self._order is None else self._order[index]

    def field(self, index: int, field: str) -> str:
        """The path of a candle's field."""
        return self.sent(self.number(index), field)

    def sent(self, position: int, field: str) -> str:
        """The path of a field of the candle at this position of `data`."""
        return f"{self.series}[{position}].{field}"

    def first_timestamp(self) -> str:
        """The path of the first timestamp, which is missing."""
        return self.sent(0, "timestamp")


class PathsOfColumns(PathsOfCandles):
    """Paths in `data` with columns, such as `data.high[17]`."""

    def sent(self, position: int, field: str) -> str:
        """The path of a field of the candle at this position of its column."""
        return f"{self.series}.{field}[{position}]"

    def first_timestamp(self) -> str:
        """The path of the column that is missing."""
        return f"{self.series}.timestamp"


class PathsOfRows(PathsOfCandles):
    """Paths in `data` with rows, such as `data[17][2]`. names: of the values in each row."""

    def __init__(self, names: Sequence[str], order: Sequence[int] | None = None) -> None:
        super().__init__(order)
        self._names = names

    def sorted(self, order: Sequence[int]) -> Self:
        """The same for candles that are sorted."""
        return type(self)(self._names, order)

    def sent(self, position: int, field: str) -> str:
        """The path of a field of the candle in this row; that of the row, if it has no such field."""
        row = f"{self.series}[{position}]"
        return f"{row}[{self._names.index(field)}]" if field in self._names else row

    def first_timestamp(self) -> str:
        """The path of the first timestamp, or of the names if they have none."""
        return self.sent(0, "timestamp") if "timestamp" in self._names else "columns"


FEATURES, DATA, COLUMNS = PathsOfWindows("features"), PathsOfCandles(), PathsOfColumns()


def replaced(text: str, place: Callable[[int, str], str]) -> str:
    """A text in which each place such as `data[17].high` is replaced by `place(17, "high")`."""
    return _OF_CANDLE.sub(lambda found: place(int(found["index"]), found["field"]), text)


def moved(error: InvalidInput, place: Callable[[int, str], str], subject: Sequence[str] = ()) -> InvalidInput:
    """The error of a check of candles with other places, as of `replaced`.

    subject: fields whose name begins the message, because their place does not have it.
    """
    detail = error.details[0]
    found = _OF_CANDLE.fullmatch(detail.path)
    begins = f"{found['field']} " if found is not None and found["field"] in subject else ""
    return InvalidInput.at(replaced(detail.path, place), begins + replaced(detail.message, place))
