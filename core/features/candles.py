"""Series of candles as one array, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

# The limit of candles in one request. A detector that needs more can never be served.
MAX_CANDLES = 2_000


@dataclass(frozen=True, slots=True)
class Candles:
    """One series, or several series of one length.

    values: float64, shape (5, n) or (5, series, n): open, high, low, close, volume, each oldest candle first. The array
    is neither copied nor checked; the caller validates it.

    times: when each candle opened, in milliseconds since 1970, UTC: n numbers, or float64 of shape (series, m) of the
    last m. None if unknown; features of the candles' own time cannot be computed then.
    """

    values: Floats
    times: Sequence[float] | Floats | None = None

    @property
    def open(self) -> Floats:  # noqa: D102
        values: Floats = self.values[0]
        return values

    @property
    def high(self) -> Floats:  # noqa: D102
        values: Floats = self.values[1]
        return values

    @property
    def low(self) -> Floats:  # noqa: D102
        values: Floats = self.values[2]
        return values

    @property
    def close(self) -> Floats:  # noqa: D102
        values: Floats = self.values[3]
        return values

    @property
    def volume(self) -> Floats:  # noqa: D102
        values: Floats = self.values[4]
        return values

    def __len__(self) -> int:
        return int(self.values.shape[-1])

    @classmethod
    def from_fields(cls, open_: Floats, high: Floats, low: Floats, close: Floats, volume: Floats) -> Candles:
        """Build a series from five arrays of the same shape."""
        return cls(np.array((open_, high, low, close, volume), dtype=np.float64))

    @classmethod
    def from_rows(cls, rows: Floats, times: Floats | None = None) -> Candles:
        """Build a series from an array of shape (n, 5): open, high, low, close, volume."""
        return cls(np.ascontiguousarray(rows.T, dtype=np.float64), times)

    @classmethod
    def stacked(cls, series: Sequence[Candles], last: int, timed: int = 0) -> Candles:
        """Stack single series of one length, shape (5, series, n). Only the last `last` candles of each are kept.

        timed: of so many of the last candles the times are kept too, which all series have then.
        """
        times = np.array([one.times[-timed:] for one in series if one.times is not None]) if timed else None
        if len(series) == 1:
            return cls(series[0].values[:, None, -last:], times)
        joined = np.concatenate([one.values[:, -last:] for one in series])
        return cls(joined.reshape(len(series), 5, -1).transpose(1, 0, 2), times)
