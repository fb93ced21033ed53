"""A price history on disk: one CSV file of bars, oldest first."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Candles, Floats

HEADER = ["timestamp", "open", "high", "low", "close", "volume"]


class DataError(ValueError):
    """A history that cannot be used for training. The message names the file or part, and the line."""


@dataclass(frozen=True, slots=True)
class History:
    """Bars with their times.

    timestamps: datetime64[s], UTC, shape (n,), strictly increasing. rows: float64, shape (n, 5), in the order of
    Candles.from_rows. sha256: of the file's bytes.
    """

    name: str
    sha256: str
    timestamps: NDArray[np.datetime64]
    rows: Floats

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def candles(self) -> Candles:
        """The bars as candles, for the functions of core."""
        return Candles.from_rows(self.rows, self.timestamps.astype("datetime64[ms]").astype(np.float64))

    def part(self, bars: slice) -> History:
        """The same history with only these bars."""
        return History(self.name, self.sha256, self.timestamps[bars], self.rows[bars])


def read(path: Path) -> History:
    """Read a CSV file with the columns of HEADER. Raises OSError, or DataError, which names the line."""
    raw = path.read_bytes()
    try:
        lines = csv.reader(raw.decode().splitlines())
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name}: not a UTF-8 text: {error}") from None
    header = next(lines, [])
    if header != HEADER:
        raise DataError(f"{path.name}: the header is {header}, expected {HEADER}")
    timestamps, rows = [], []
    for line in lines:
        try:
            stamp, *numbers = line
            timestamps.append(np.datetime64(stamp.removesuffix("Z"), "s"))
            rows.append(_bar(numbers))
        except ValueError as error:
            raise DataError(f"{path.name}, line {lines.line_num}: {error}") from None
        if len(timestamps) > 1 and not timestamps[-1] > timestamps[-2]:
            raise DataError(f"{path.name}, line {lines.line_num}: {stamp} is not after the bar before it")
    return History(path.name, hashlib.sha256(raw).hexdigest(), np.array(timestamps), np.array(rows).reshape(-1, 5))


def _bar(numbers: list[str]) -> list[float]:
    """Open, high, low, close and volume of one line. Raises ValueError."""
    first, high, low, last, volume = (float(number) for number in numbers)
    if not (0.0 < low <= first <= high < np.inf and low <= last <= high and 0.0 <= volume < np.inf):
        raise ValueError(f"open {first}, high {high}, low {low}, close {last}, volume {volume} is not a bar")
    return [first, high, low, last, volume]
