"""Times of candles as reports compare them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.statistics.times import times_of
from tests.core.statistics.tables import HOUR, START, side, table


def test_times_within_a_period_are_one_time() -> None:
    """Requests of one hour with the time of the request in place of the candle's, and a candle without a time."""
    seconds = np.array([0.0, 1.0, 3_599.0, 3_600.0, np.nan]) * 1_000
    of = replace(table(side(longs=np.arange(5.0)), side(longs=np.ones(5))), time=START + seconds[::-1])
    found = of.timed
    assert found.time.tolist() == [START, START, START, START + HOUR]
    assert sorted(found.a.longs[:3].tolist()) == [2.0, 3.0, 4.0]
    assert found.a.longs[3] == 1.0
    assert len(times_of(found).at) == 2


def test_each_timeframe_has_its_own_periods() -> None:
    of = replace(
        table(side(longs=[1, 2, 3]), side(longs=[1, 1, 1])),
        time=np.array([START + 5 * HOUR, START + 26 * HOUR, START + 7 * HOUR]),
        place=np.array([1, 1, 0]),
        places=(("EUR/USD", "1h"), ("EUR/USD", "1d")),
    ).timed
    assert (of.time - START).tolist() == [0.0, 7 * HOUR, 24 * HOUR]
    assert of.a.longs.tolist() == [1.0, 3.0, 2.0]
    assert of.place.tolist() == [1, 0, 1]
