"""The fast table: all features of many series at once, from one matrix product and the shared indicators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Candles, Floats
from core.features.catalogue import bars_until, feature, required_candles, response
from core.features.indicators import Indicators

# A candle that weighs less than this is lost in a float64, however the candles may have moved: nothing is computed
# from it.
NO_WEIGHT = 1e-24


class Table:
    """Computes core.features.catalogue.matrix for many series of one length at once, and fast: windows of `rows` bars.

    Features with an EMA in them are linear in close and do not depend on where in time they stand. So each is a
    convolution with its answer to an impulse, and one matrix product gives the windows of all of them.
    """

    def __init__(self, names: Iterable[str], rows: int) -> None:
        """`names`: what is computed, in any order, repetitions allowed."""
        distinct = dict.fromkeys(names)
        self._recursive = [name for name in distinct if feature(name).slowest_ema]
        self._others = [name for name in distinct if not feature(name).slowest_ema]
        self.names = (*self._recursive, *self._others)
        self._rows = rows
        # What a market that stands still at 1 answers: exactly 1 for a mean, exactly 0 for a difference of means.
        self._levels = np.array([response(name, np.ones(1))[0] for name in self._recursive])
        self._weights = np.empty((0, rows * len(self._recursive)))
        slowest = max((feature(name).slowest_ema for name in self.names), default=0)
        self._needed = max(
            required_candles(self.names, rows) + 1,  # the first bar's movements need the one before it
            rows + bars_until(NO_WEIGHT, slowest) if slowest else 0,
        )
        self._computes = [feature(name).compute for name in self._others]

    def columns(self, names: Sequence[str]) -> NDArray[np.intp]:
        """Where these features stand in what `__call__` gives."""
        return np.array([self.names.index(name) for name in names])

    def __call__(self, series: Sequence[Candles]) -> Floats:
        """Float64, shape (len(series), rows, len(self.names)). The series are of one length, required_candles or more.

        Overflow leaves infinities or NaN; NumPy warns of it, unless the caller has told it not to.
        """
        candles = Candles.stacked(series, self._needed)
        out = np.empty((len(series), self._rows, len(self.names)))
        recursive = len(self._recursive)
        if recursive:
            # Relative to the first close, so that a market which stands still has exactly that mean, and so that the
            # first candle, which stands for all the past, need not be weighed.
            close = candles.close
            first = close[:, :1]
            products = (close - first) @ self._weights_of(close.shape[-1])
            products = products.reshape(-1, self._rows, recursive)
            np.add(products, (first * self._levels)[:, None, :], out=out[..., :recursive])
        indicators = Indicators(candles, self._rows)
        for column, compute in enumerate(self._computes, recursive):
            out[..., column] = compute(indicators)
        return out

    def _weights_of(self, bars: int) -> Floats:
        """Shape (bars, rows * recursive): those of more bars end with those of fewer, so only the most are kept."""
        weights = self._weights
        if len(weights) < bars:
            longest = 1 << (bars - 1).bit_length()
            impulse = np.zeros(longest + 1)
            impulse[1] = 1.0  # not the first, which stands for all the past
            responses = np.stack([response(name, impulse)[1:] for name in self._recursive], axis=1)
            lag = np.arange(longest - self._rows, longest) - np.arange(longest)[:, None]
            weights = np.where((lag >= 0)[..., None], responses[np.abs(lag)], 0.0).reshape(longest, -1)
            self._weights = weights
        return weights[len(weights) - bars :]
