"""Small panels and histories in which it is known what can be found."""

from __future__ import annotations

import numpy as np

from core.features.labels import LONG, NONE, UNKNOWN
from lab.history import History
from lab.panel import Panel, Rows

NAMES = ("signal", "noise", "more_noise")
HORIZON = 10


def panel(bars: int = 900, pairs: int = 2, seed: int = 3, start: str = "2016-01-01") -> Panel:
    """A panel whose label follows from the last three values of its first feature."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(pairs, bars, len(NAMES)))
    recent = features[:, :, 0] + np.roll(features[:, :, 0], 1, axis=1) + np.roll(features[:, :, 0], 2, axis=1)
    labels = np.where(recent > 0.5, LONG, NONE).astype(np.int8)
    labels[:, -HORIZON:] = UNKNOWN
    features[:, :5] = np.nan
    times = np.datetime64(start, "s") + np.arange(bars) * np.timedelta64(3600, "s")
    return Panel(
        pairs=tuple(f"AA{chr(65 + pair)}/USD" for pair in range(pairs)),
        pair=np.repeat(np.arange(pairs, dtype=np.int8), bars),
        times=np.tile(times, pairs),
        names=NAMES,
        features=features.reshape(-1, len(NAMES)),
        labels=labels.reshape(-1),
        horizon=HORIZON,
    )


def halves(whole: Panel, window: int) -> tuple[Rows, Rows]:
    """The usable rows of the first and of the second half of each pair."""
    rows = np.flatnonzero(whole.usable(window))
    late = rows % (len(whole) // len(whole.pairs)) >= len(whole) // len(whole.pairs) // 2
    return rows[~late], rows[late]


def histories(years: tuple[int, int], pairs: tuple[str, ...], hours: int = 6, seed: int = 5) -> list[History]:
    """Random walks whose bars are larger in the second half of a week; a bar every `hours` hours."""
    times = np.arange(
        np.datetime64(f"{years[0]}-01-01", "s"), np.datetime64(f"{years[1] + 1}-01-01", "s"), np.timedelta64(hours, "h")
    )
    random, found = np.random.default_rng(seed), []
    hour_of_week = (times.astype("datetime64[h]").astype(int) + 72) % 168
    size = np.where(hour_of_week < 84, 4e-4, 1.6e-3)
    for pair in pairs:
        close = np.exp(np.cumsum(random.normal(0.0, size)))
        first = np.concatenate([[1.0], close[:-1]])
        spread = np.abs(random.normal(0.0, size)) * close
        rows = np.stack([first, np.maximum(first, close) + spread, np.minimum(first, close) - spread, close], axis=1)
        found.append(History(pair, "0" * 64, times, np.column_stack([rows, np.ones(len(rows))]), pair))
    return found
