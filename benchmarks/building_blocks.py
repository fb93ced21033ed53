"""Speed of TA-Lib beside NumPy, and which of its functions agree with the definitions of docs/indicators.md.

TA-Lib is not a dependency of the project. To run this, install TA-Lib 0.8.2 into an environment that has
requirements/serve.txt, and call `python -m benchmarks.building_blocks` there.
"""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable
from pathlib import Path
from statistics import median
from unittest.mock import patch

import numpy as np
import talib

from core.features import indicators
from core.features.candles import Candles, Floats
from core.features.table import Table

ROOT = Path(__file__).parents[1]
ROWS = 20  # candles in a window
CALLS = 500
ROUNDS = 9


def series() -> Candles:
    """Return the 120 candles of the example request."""
    data = json.loads((ROOT / "docs" / "examples" / "predict.json").read_text())["data"]
    return Candles.from_rows(np.array([[c[k] for k in ("open", "high", "low", "close", "volume")] for c in data]))


def ema(x: Floats, n: int) -> Floats:
    """Compute an EMA. TA-Lib starts with the mean of n values, so n - 1 copies of the first value are put before it."""
    out: Floats = talib.EMA(np.concatenate([np.full(n - 1, x[0]), x]), n)[n - 1 :]
    return out


def emas(close: Floats) -> Floats:
    """Compute the EMAs of v3.1."""
    fast, slow = ema(close, 12), ema(close, 26)
    return np.stack([fast, slow, ema(fast - slow, 9)], axis=1)[-ROWS:]


def std(x: Floats, n: int, mean: Floats) -> Floats:  # noqa: ARG001 - TA-Lib computes the mean again
    """Compute a standard deviation. TA-Lib divides by n, our definition by n - 1; TA-Lib has no batch axis."""
    out: Floats = talib.STDDEV(np.ascontiguousarray(x[0]), n)[n - 1 :] * np.sqrt(n / (n - 1))
    return out[None]


def mean(x: Floats, n: int) -> Floats:
    """Compute a mean. TA-Lib computes it from a running sum."""
    out: Floats = talib.SMA(x[0], n)[n - 1 :]
    return out[None]


def residue_after_zeros() -> float:
    """Return the rolling mean of losses in a market that has stopped moving. It must be 0 to make RSI 50 or 100."""
    rng = np.random.default_rng(0)
    losses = np.concatenate([rng.exponential(1e-3, 60), np.zeros(30)])
    return float(np.abs(mean(losses[None], 14)[0, -1]))


def main() -> None:
    """Time both libraries in turns, and print microseconds and ratios."""
    candles = series()
    names = json.loads((ROOT / "models" / "keras" / "profitable_selected_features.json").read_text())["features"]

    table, recursive = Table(names, ROWS), Table(["ema_12", "ema_26", "macd_signal"], ROWS)
    bars = candles.close[None, -ROWS - 19 :]
    middle = indicators.rolling_mean(bars, 20)

    def all_features() -> object:
        return table([candles])

    def seconds_with_talib() -> float:
        with patch.object(indicators, "rolling_std", std):
            return timeit.timeit(all_features, number=CALLS)

    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "the EMAs of v3.1": (lambda: recursive([candles]), lambda: emas(candles.close)),
        "standard deviation": (lambda: indicators.rolling_std(bars, 20, middle), lambda: std(bars, 20, middle)),
        "mean": (lambda: indicators.rolling_mean(bars, 20), lambda: mean(bars, 20)),
    }
    for name, (ours, theirs) in pairs.items():
        report(name, [(timeit.timeit(ours, number=CALLS), timeit.timeit(theirs, number=CALLS)) for _ in range(ROUNDS)])
    report(
        "all features of v3.1, with TA-Lib's deviation",
        [(timeit.timeit(all_features, number=CALLS), seconds_with_talib()) for _ in range(ROUNDS)],
    )
    print(f"TA-Lib's mean of 14 zeros after 60 losses: {residue_after_zeros():.1e}, the definition gives 0")


def report(name: str, rounds: list[tuple[float, float]]) -> None:
    """Print the medians of the rounds."""
    ours, theirs = (median(column) / CALLS * 1e6 for column in zip(*rounds, strict=True))
    print(f"{name}: NumPy {ours:.1f} us, TA-Lib {theirs:.1f} us, ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
