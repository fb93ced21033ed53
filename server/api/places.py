"""The paths in errors of places in a request's body, such as `data[17].high` and `features.stage2[3][4]`."""

from __future__ import annotations

from collections.abc import Sequence

from core.inference.places import CandlePlaces, WindowPlaces


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
    """Paths in the body's `data`.

    order: the position in it of each candle, oldest first; null if it has them in this order.
    """

    series = "data"

    def __init__(self, order: Sequence[int] | None = None) -> None:
        self._order = order

    def number(self, index: int) -> int:
        """The position of a candle in `data`."""
        return index if self._order is None else self._order[index]

    def field(self, index: int, field: str) -> str:
        """The path of a candle's field."""
        return f"{self.series}[{self.number(index)}].{field}"

    def first_timestamp(self) -> str:
        """The path of the first timestamp, which is missing."""
        return f"{self.series}[0].timestamp"


FEATURES, DATA = PathsOfWindows("features"), PathsOfCandles()
