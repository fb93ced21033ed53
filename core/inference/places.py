"""What an error calls a place in an input. Core knows stages, rows and candles, but not how a request is written.

The maker of a source may hand in names of its own: the server gives those of a request's body (server.api.places).
"""

from __future__ import annotations


class WindowPlaces:
    """Names of places in windows that were sent. Rows and columns count from 0.

    stage: the stage that the window is for, null where one window is sent for all stages.
    """

    form_by_stage = "a window for each stage"

    def window(self, stage: str | None) -> str:
        """The name of a whole window."""
        return "the window" if stage is None else f"the window of {stage}"

    def row(self, stage: str | None, row: int) -> str:
        """The name of one of its rows."""
        return f"row {row} of {self.window(stage)}"

    def value(self, stage: str | None, row: int, column: int) -> str:
        """The name of one of its values."""
        return f"column {column} in {self.row(stage, row)}"


class CandlePlaces:
    """Names of places in a series of candles, which count from 0, the oldest."""

    series = "the candles"

    def number(self, index: int) -> int:
        """The number by which the maker knows a candle."""
        return index

    def field(self, index: int, field: str) -> str:
        """The name of a candle's field: open, high, low, close or volume."""
        return f"{field} of candle {self.number(index)}"


WINDOW_PLACES, CANDLE_PLACES = WindowPlaces(), CandlePlaces()
