from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from core.features.timeframes import PERIODS, Timeframe, iso, shifted


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1e3


def test_every_timeframe_has_a_period() -> None:
    assert set(PERIODS) == set(get_args(Timeframe))


@pytest.mark.parametrize(
    ("start", "timeframe", "periods", "end"),
    [
        ("2025-10-16T09:00", "1min", 1, "2025-10-16T09:01"),
        ("2025-10-16T09:00", "1h", 2, "2025-10-16T11:00"),
        ("2025-10-16T09:00", "4h", -1, "2025-10-16T05:00"),
        ("2025-10-31", "1d", 1, "2025-11-01"),
        ("2025-12-29", "1w", 1, "2026-01-05"),
        ("2025-11-01", "1M", 2, "2026-01-01"),
        ("2026-01-01", "1M", -1, "2025-12-01"),
        ("2024-01-30T12:00", "1M", 1, "2024-02-29T12:00"),
        # These months begin at midnight in Athens.
        ("2025-09-30T21:00", "1M", 1, "2025-10-31T21:00"),
        ("2025-02-28T22:00", "1M", 1, "2025-03-31T22:00"),
        ("2025-11-30T22:00", "1M", -1, "2025-10-31T22:00"),
    ],
)
def test_shifting_by_periods(start: str, timeframe: str, periods: int, end: str) -> None:
    assert shifted(at(start), timeframe, periods) == at(end)


@pytest.mark.parametrize("timeframe", get_args(Timeframe))
def test_years_before_1_and_after_9999_overflow(timeframe: str) -> None:
    last, first = at("9999-12-31T23:59:59"), -62_135_596_800_000.0
    with pytest.raises(OverflowError):
        shifted(last, timeframe, 1)
    with pytest.raises(OverflowError):
        shifted(first, timeframe, -1)


def test_iso_has_a_fraction_if_needed_and_is_none_after_the_year_9999() -> None:
    assert iso(at("2025-10-16T09:00")) == "2025-10-16T09:00:00Z"
    assert iso(at("2025-10-16T09:00") + 1.5) == "2025-10-16T09:00:00.001500Z"
    assert iso(at("9999-12-31T23:59:59") + timedelta(days=1).total_seconds() * 1e3) is None
