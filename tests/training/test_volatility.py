from __future__ import annotations

import numpy as np
import pytest

from lab.history import History
from training.volatility import daily, daily_share

STAMPS = np.array(["2017-01-02T22", "2017-01-02T23", "2017-01-03T00", "2017-01-05T07"], dtype="datetime64[s]")
ROWS = np.array(
    [
        [10.0, 11.0, 9.5, 10.5, 1.0],  # true range 1.5
        [10.5, 13.0, 10.0, 12.0, 2.0],  # 3
        [12.0, 12.5, 11.5, 12.2, 4.0],  # 1
        [15.0, 15.5, 14.2, 14.5, 8.0],  # from the close before, 12.2: 3.3
    ]
)
HISTORY = History("bars.csv", "", STAMPS, ROWS)


def test_days_are_cut_at_midnight_utc() -> None:
    days = daily(HISTORY)
    assert days.open.tolist() == [10.0, 12.0, 15.0]
    assert days.high.tolist() == [13.0, 12.5, 15.5]
    assert days.low.tolist() == [9.5, 11.5, 14.2]
    assert days.close.tolist() == [12.0, 12.2, 14.5]
    assert days.volume.tolist() == [3.0, 4.0, 8.0]


def test_share_is_mean_true_range_of_bars_over_that_of_days() -> None:
    bars, days = (1.5 + 3.0 + 1.0 + 3.3) / 4, (3.5 + 1.0 + 3.3) / 3
    assert daily_share(HISTORY) == pytest.approx(bars / days)
