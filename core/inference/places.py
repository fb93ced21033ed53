"""Names of places in an input, for error messages.

Core knows stages, rows and candles, but not the format of a request. A caller can pass its own names: the server passes
paths in the request's body (server.api.places).
"""

from __future__ import annotations


class WindowPlaces:
    """Names of places in windows that a client sent. Rows and columns count from 0.

    stage: the stage that the window is for; None if one window is for all stages.
    """

    form_by_stage = "a window for each stage"

    def window(self, stage: str | None) -> str:
        """Return the name of a whole window."""
        return "the window" if stage is None else f"the window of {stage}"

    def row(self, stage: str | None, row: int) -> str:
        """Return the name of a row of a window."""
        return f"row {row} of {self.window(stage)}"

    def value(self, stage: str | None, row: int, column: int) -> str:
        """Return the name of a value of a window."""
        return f"column {column} in {self.row(stage, row)}"


class CandlePlaces:
    """Names of places in a series of candles. Candles count from 0, the oldest."""

    series = "the candles"

    def number(self, index: int) -> int:
        """Return the caller's number of a candle."""
        return index

    def field(self, index: int, field: str) -> str:
        """Return the name of a candle's field: open, high, low, close or volume."""
        return f"{field} of candle {self.number(index)}"

    def first_timestamp(self) -> str:
        """Return the name of the place where timestamps are missing."""
        return "timestamp of candle 0"


WINDOW_PLACES, CANDLE_PLACES = WindowPlaces(), CandlePlaces()
