"""What errors call the places in a request's body: paths such as `data[17].high` and `features.stage2[3][4]`."""

from __future__ import annotations

from collections.abc import Sequence

from core.inference.places import CandlePlaces, WindowPlaces


class PathsOfWindows(WindowPlaces):
    """Paths in windows that stand at `path` in the body."""

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
    """Paths in the body's `data`. order: where each candle stands in it, oldest first; null where that is its order."""

    series = "data"

    def __init__(self, order: Sequence[int] | None = None) -> None:
        self._order = order

    def number(self, index: int) -> int:
        """The place in `data` of a candle."""
        return index if self._order is None else self._order[index]

    def field(self, index: int, field: str) -> str:
        """The path of a candle's field."""
        return f"{self.series}[{self.number(index)}].{field}"


FEATURES, DATA = PathsOfWindows("features"), PathsOfCandles()
