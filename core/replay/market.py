"""A pair's past candles, and which of them are replayed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Candles, Floats
from core.features.labels import pip_of

_DAY = 86_400_000.0
# 1 January 1970 was a Thursday; weeks begin on Sunday, so that the evening on which the market opens is in its week.
_DAYS_BEFORE_THURSDAY = 4
_HOUR, _HOURS = 3_600_000.0, 24


class Market(NamedTuple):
    """Candles of one pair, oldest first.

    candles: with their times. rows: the candles that are replayed. Those before them serve as look-back, those after
    them as the future of the last ones.
    """

    pair: str
    candles: Candles
    rows: range

    @property
    def opens(self) -> Floats:
        """When each candle begins, in milliseconds since 1970, shape (n,). Raises ValueError without times."""
        if self.candles.times is None:
            raise ValueError(f"{self.pair}: candles without times")
        return np.asarray(self.candles.times, np.float64)

    @property
    def pip(self) -> float:
        """The size of a pip in the price."""
        return pip_of(self.pair)


def weeks_of(opens: Floats) -> NDArray[np.int64]:
    """The number of the week of each instant: from Sunday 0:00 UTC, since 1970."""
    return np.floor((opens / _DAY + _DAYS_BEFORE_THURSDAY) / 7).astype(np.int64)


def years_of(opens: Floats) -> NDArray[np.int64]:
    """The year of each instant in UTC."""
    found: NDArray[np.int64] = opens.astype("datetime64[ms]").astype("datetime64[Y]").astype(np.int64) + 1970
    return found


def hours_of(opens: Floats) -> NDArray[np.int64]:
    """The hour of the day of each instant in UTC."""
    return (opens // _HOUR % _HOURS).astype(np.int64)
