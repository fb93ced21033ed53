"""Price histories on disk: CSV files of bars, oldest first."""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Candles, Floats

HEADER = ["timestamp", "open", "high", "low", "close", "volume"]

# The broker's files: nine pairs, each an hour a line. lab/data/README.md has their origin.
BROKER_FILES = Path(__file__).with_name("data")
_BROKER_HEADER = ["time", "open", "high", "low", "close", "volume"]
_POINTS, _YEN_POINTS = 100_000.0, 1_000.0
# The broker's clock. Measured from the end of the week and from the hour of American payroll figures: a week ends at
# 23:00 of the first zone until 21 November 2014, and at 24:00 of the second one after it, also in the weeks in which
# America and Europe differ in summer time.
_BROKER_ZONES = (ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Helsinki"))
_MOVED = datetime(2014, 11, 23)  # noqa: DTZ001 - a time of the broker's clock


class DataError(ValueError):
    """A history that cannot be used for training. The message names the file or part, and the line."""


@dataclass(frozen=True, slots=True)
class History:
    """Bars with their times.

    timestamps: datetime64[s], UTC, shape (n,), strictly increasing. rows: float64, shape (n, 5), in the order of
    Candles.from_rows. sha256: of the file's bytes. pair: such as "EUR/USD".
    """

    name: str
    sha256: str
    timestamps: NDArray[np.datetime64]
    rows: Floats
    pair: str = "EUR/USD"

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def candles(self) -> Candles:
        """The bars as candles, for the functions of core."""
        return Candles.from_rows(self.rows, self.timestamps.astype("datetime64[ms]").astype(np.float64))

    def part(self, bars: slice) -> History:
        """The same history with only these bars."""
        return History(self.name, self.sha256, self.timestamps[bars], self.rows[bars], self.pair)


def read(path: Path) -> History:
    """Read a CSV file with the columns of HEADER. Raises OSError, or DataError, which names the line."""
    raw = path.read_bytes()
    timestamps, rows = _parsed(path.name, raw, HEADER, lambda stamp: np.datetime64(stamp.removesuffix("Z"), "s"))
    return History(path.name, hashlib.sha256(raw).hexdigest(), timestamps, rows)


def read_broker(path: Path) -> History:
    """Read a file of the broker, `PAIR_1h_….csv.gz`: prices in points, times of the broker's clock.

    Raises OSError, or DataError, which names the line.
    """
    packed = path.read_bytes()
    try:
        raw = gzip.decompress(packed)
    except (EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path.name}: not a complete gzip file: {error}") from None
    timestamps, rows = _parsed(path.name, raw, _BROKER_HEADER, _utc)
    pair = f"{path.name[:3]}/{path.name[3:6]}"
    rows[:, :4] /= _YEN_POINTS if pair.endswith("/JPY") else _POINTS
    return History(path.name, hashlib.sha256(packed).hexdigest(), timestamps, rows, pair)


def read_all(folder: Path = BROKER_FILES) -> list[History]:
    """Read all files of the broker, in the order of their names. Raises OSError or DataError."""
    found = [read_broker(path) for path in sorted(folder.glob("*_1h_*.csv.gz"))]
    if not found:
        raise DataError(f"{folder}: there is no file of bars, such as EURGBP_1h_2012_2020.csv.gz")
    return found


@lru_cache(maxsize=1 << 17)
def _utc(stamp: str) -> np.datetime64:
    """The instant of a time of the broker's clock, such as "2012-11-16 12:00". All pairs have the same times."""
    local = datetime.fromisoformat(stamp)
    zone = _BROKER_ZONES[local >= _MOVED]
    return np.datetime64(local.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None), "s")


def _parsed(
    name: str, raw: bytes, expected: list[str], instant: Callable[[str], np.datetime64]
) -> tuple[NDArray[np.datetime64], Floats]:
    """The times and rows of a CSV file. Raises DataError, which names the line."""
    try:
        lines = csv.reader(raw.decode().splitlines())
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not a UTF-8 text: {error}") from None
    header = next(lines, [])
    if header != expected:
        raise DataError(f"{name}: the header is {header}, expected {expected}")
    timestamps, rows = [], []
    for line in lines:
        try:
            stamp, *numbers = line
            timestamps.append(instant(stamp))
            rows.append(_bar(numbers))
        except ValueError as error:
            raise DataError(f"{name}, line {lines.line_num}: {error}") from None
        if len(timestamps) > 1 and not timestamps[-1] > timestamps[-2]:
            raise DataError(f"{name}, line {lines.line_num}: {stamp} is not after the bar before it")
    return np.array(timestamps, dtype="datetime64[s]"), np.array(rows, dtype=np.float64).reshape(-1, 5)


def _bar(numbers: list[str]) -> list[float]:
    """Open, high, low, close and volume of one line. Raises ValueError."""
    first, high, low, last, volume = (float(number) for number in numbers)
    if not (0.0 < low <= first <= high < np.inf and low <= last <= high and 0.0 <= volume < np.inf):
        raise ValueError(f"open {first}, high {high}, low {low}, close {last}, volume {volume} is not a bar")
    return [first, high, low, last, volume]
