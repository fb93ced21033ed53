"""A series of candles as arrays, oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

# The most that one request may send. A detector that needs more could never be served.
MAX_CANDLES = 2_000


@dataclass(slots=True)
class Candles:
    """Five float64 arrays of shape (n,), oldest candle first; the caller has checked their values."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.close)

    @classmethod
    def from_rows(cls, rows: Floats) -> Candles:
        """Take an array of shape (n, 5): open, high, low, close, volume."""
        return cls(*np.ascontiguousarray(rows.T, dtype=np.float64))
