"""The fast table: computes all features of many series at once, by one matrix product and shared indicators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from core.features.candles import MAX_CANDLES, Candles, Floats
from core.features.catalogue import bars_until, feature, needing_times, required_candles, response
from core.features.compiled import is_compiled, program
from core.features.indicators import Indicators
from core.native import extension

# Candles with a smaller weight are left out: a float64 cannot hold their contribution, whatever their prices.
NO_WEIGHT = 1e-24


class Table:
    """Computes windows of `rows` bars, as core.features.catalogue.matrix does, but fast and for many series at once.

    A feature with an EMA is a linear function of close, the same at every bar. So it is a convolution with its response
    to an impulse, and one matrix product computes the windows of all such features.
    """

    def __init__(self, names: Iterable[str], rows: int) -> None:
        """`names`: the features to compute, in any order; duplicates are allowed."""
        distinct = dict.fromkeys(names)
        self._recursive = [name for name in distinct if feature(name).slowest_ema]
        self._others = [name for name in distinct if not feature(name).slowest_ema]
        self.names = (*self._recursive, *self._others)
        self._rows = rows
        # The features at a constant price of 1: exactly 1 for a mean, exactly 0 for a difference of means.
        self._levels = np.array([response(name, np.ones(1))[0] for name in self._recursive])
        self._weights = np.empty((0, rows * len(self._recursive)))
        slowest = max((feature(name).slowest_ema for name in self.names), default=0)
        self._needed = max(
            required_candles(self.names, rows) + 1,  # the movements of the first bar need its predecessor
            rows + bars_until(NO_WEIGHT, slowest) if slowest else 0,
        )
        self._computes = {i: feature(name).compute for i, name in enumerate(self._others, len(self._recursive))}
        self._timed = rows if needing_times(self._others) else 0
        # What the extension computes, and what is left. In one row, NumPy adds in another order (rolling_std).
        compiled = [name for name in self.names if is_compiled(name)] if extension is not None and rows > 1 else []
        self._program = program(compiled, map(self.names.index, compiled))
        self._least = required_candles(compiled, rows) if compiled else rows
        self._left = {i: each for i, each in self._computes.items() if self.names[i] not in compiled}

    def columns(self, names: Sequence[str]) -> NDArray[np.intp]:
        """Return the columns of these features in the result of `__call__`."""
        return np.array([self.names.index(name) for name in names])

    def __call__(self, series: Sequence[Candles]) -> Floats:
        """Compute the windows: float64, shape (len(series), rows, len(self.names)).

        All series have the same length, at least required_candles, and times if a feature needs them. An overflow
        leaves an infinity or NaN; NumPy issues a warning, unless the caller has turned that off.
        """
        out = np.empty((len(series), self._rows, len(self.names)))
        # The extension has room for the candles of a request; one of a program in Python may be longer.
        if self._program and extension is not None and len(series[0]) <= MAX_CANDLES:
            extension.features(self._program, self._rows, self._least, [one.values for one in series], out)
            if self._left:
                indicators = Indicators(Candles.stacked(series, self._needed, self._timed), self._rows)
                for column, compute in self._left.items():
                    out[..., column] = compute(indicators)
            return out
        candles = Candles.stacked(series, self._needed, self._timed)
        recursive = len(self._recursive)
        if recursive:
            # Prices are taken relative to the first close. This makes the means of a constant price exact.
            # It also makes a weight for the first candle, which represents all earlier ones, unnecessary.
            close = candles.close
            first = close[:, :1]
            products = (close - first) @ self._weights_of(close.shape[-1])
            products = products.reshape(-1, self._rows, recursive)
            np.add(products, (first * self._levels)[:, None, :], out=out[..., :recursive])
        indicators = Indicators(candles, self._rows)
        for column, compute in self._computes.items():
            out[..., column] = compute(indicators)
        return out

    def _weights_of(self, bars: int) -> Floats:
        """Return the weights for series of so many bars: shape (bars, rows * recursive).

        The weights for fewer bars are the last rows of those for more, so only the largest matrix is kept.
        """
        weights = self._weights
        if len(weights) < bars:
            longest = 1 << (bars - 1).bit_length()
            impulse = np.zeros(longest + 1)
            impulse[1] = 1.0  # not at bar 0, which represents all earlier candles
            responses = np.stack([response(name, impulse)[1:] for name in self._recursive], axis=1)
            lag = np.arange(longest - self._rows, longest) - np.arange(longest)[:, None]
            weights = np.where((lag >= 0)[..., None], responses[np.abs(lag)], 0.0).reshape(longest, -1)
            self._weights = weights
        return weights[len(weights) - bars :]
