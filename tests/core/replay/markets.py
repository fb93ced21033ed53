"""Past candles for tests of replays."""

from __future__ import annotations

import numpy as np

from core.features.candles import Candles
from core.replay.market import Market
from lab.history import BROKER_FILES, History, read_broker

HOUR = 3_600_000.0
SUNDAY = 1_514_674_800_000.0 - HOUR  # 30 December 2017, 22:00 UTC, a day before a Sunday evening


def walk(bars: int, *, seed: int = 1, price: float = 1.2, start: float = SUNDAY + 24 * HOUR) -> Candles:
    """A random walk in hours; after 120 of them a weekend of 48 is missing."""
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(1e-3 * rng.standard_normal(bars)))
    opened = np.concatenate(([price], close[:-1])) * (1 + 2e-5 * rng.standard_normal(bars))
    reach = np.abs(5e-4 * rng.standard_normal((2, bars))) * price
    high, low = np.maximum(opened, close) + reach[0], np.minimum(opened, close) - reach[1]
    hours = np.arange(bars)
    times = np.asarray(start + (hours + 48 * (hours // 120)) * HOUR, np.float64)
    return Candles(np.array([opened, high, low, close, np.full(bars, 100.0)]), times)


def market(bars: int = 600, pair: str = "EUR/USD", rows: range | None = None, *, seed: int = 1) -> Market:
    """A market of a random walk."""
    price = 110.0 if pair.endswith("JPY") else 1.2
    return Market(pair, walk(bars, seed=seed, price=price), range(bars) if rows is None else rows)


def broker(pair: str) -> History:
    """Ten years of a pair, such as GBPUSD."""
    return read_broker(BROKER_FILES / f"{pair}_1h_2012_2020.csv.gz")


def changed_after(candles: Candles, at: int) -> Candles:
    """The same candles up to `at`, and others after it: the market turns upside down and moves three times as far."""
    values = candles.values.copy()
    last = values[3, at]
    future = 2 * last - values[:4, at + 1 :]
    future = last * np.exp(3 * np.log(future / last))
    values[:4, at + 1 :] = future[[0, 2, 1, 3]]
    values[4, at + 1 :] *= 7
    return Candles(values, candles.times)
