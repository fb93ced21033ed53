from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest

from core.features.timeframes import PERIODS, Timeframe, shifted
from core.inference.warnings import CLOCK_TOLERANCE, Warned, spacing, unfinished

HOUR, DAY = 3_600_000.0, 86_400_000.0
NOW = datetime(2026, 11, 25, 13, 20, 7, tzinfo=UTC).timestamp() * 1e3
LONG_AGO = datetime(2026, 6, 1, tzinfo=UTC).timestamp() * 1e3


def warned(opens: list[float], timeframe: str = "1h", now: float = NOW) -> tuple[Warned, ...]:
    return spacing(opens, timeframe) + unfinished(opens[-1], timeframe, now)


def codes(opens: list[float], timeframe: str = "1h", now: float = NOW) -> list[str]:
    return [warning.code for warning in warned(opens, timeframe, now)]


def every(distance: float, count: int = 120, last: float = LONG_AGO) -> list[float]:
    return [last - distance * (count - 1 - i) for i in range(count)]


@pytest.mark.parametrize("timeframe", get_args(Timeframe))
def test_the_spacing_of_a_timeframe_fits_that_timeframe_only(timeframe: str) -> None:
    series = [LONG_AGO]
    for _ in range(119):
        series.insert(0, shifted(series[0], timeframe, -1))
    assert codes(series, timeframe) == []
    for other in set(get_args(Timeframe)) - {timeframe}:
        assert codes(series, other) == ["SPACING"], other


def test_gaps_of_a_market_give_no_warning() -> None:
    weekends = [opens for opens in every(HOUR, 800) if datetime.fromtimestamp(opens / 1e3, UTC).weekday() < 5]
    assert len(weekends) < 600
    assert codes(weekends) == []
    workdays = [opens for opens in every(DAY, 200) if datetime.fromtimestamp(opens / 1e3, UTC).weekday() < 5]
    assert codes(workdays, "1d") == []
    a_third_missing = [opens for i, opens in enumerate(every(60_000.0, 300)) if i % 3]
    assert codes(a_third_missing, "1min") == []


def test_times_of_first_trades_fit_within_a_tenth_of_the_period() -> None:
    jittered = [opens + (i * 37 % 11) * 1_000.0 for i, opens in enumerate(every(HOUR))]
    assert codes(jittered) == []
    assert codes(every(0.85 * HOUR)) == ["SPACING"]


def test_the_warning_names_the_usual_distance_and_the_timeframe() -> None:
    (warning,) = warned(every(HOUR / 4))
    assert "0:15:00" in warning.message
    assert "1h" in warning.message


def test_one_candle_has_no_spacing() -> None:
    assert codes([LONG_AGO]) == []


@pytest.mark.parametrize(
    ("ends_in", "found"),
    [
        (-HOUR, []),
        (0.0, []),
        (CLOCK_TOLERANCE, []),
        (CLOCK_TOLERANCE + 1.0, ["OPEN_CANDLE"]),
        (HOUR, ["OPEN_CANDLE"]),
        (HOUR + CLOCK_TOLERANCE, ["OPEN_CANDLE"]),
        (HOUR + CLOCK_TOLERANCE + 1.0, ["FUTURE_CANDLE"]),
        (1e6 * HOUR, ["FUTURE_CANDLE"]),
    ],
)
def test_the_last_candle_is_open_until_it_ends_and_in_the_future_until_it_begins(
    ends_in: float, found: list[str]
) -> None:
    assert codes(every(HOUR, last=NOW + ends_in - HOUR)) == found


def test_a_month_ends_with_the_calendar_month() -> None:
    november = datetime(2026, 11, 1, tzinfo=UTC).timestamp() * 1e3
    series = [november]
    for _ in range(50):
        series.insert(0, shifted(series[0], "1M", -1))
    december = datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1e3
    assert codes(series, "1M", december - 3_000.0) == ["OPEN_CANDLE"]
    assert codes(series, "1M", december - 1_000.0) == []


@pytest.mark.parametrize("timeframe", ["1min", "5min", "15min", "30min", "1h", "4h"])
@pytest.mark.parametrize("hours", [2, 3])
@pytest.mark.parametrize("sent", ["open", "closed"])
def test_a_lead_of_whole_hours_is_attributed_to_a_brokers_clock(timeframe: str, hours: int, sent: str) -> None:
    period = PERIODS[timeframe]
    last = NOW - NOW % period - (period if sent == "closed" else 0.0) + hours * HOUR
    if sent == "closed" and timeframe == "4h":  # the lead is shorter than the period, so the candle has begun
        assert codes(every(period, last=last), timeframe) == ["OPEN_CANDLE"]
        return
    (warning,) = warned(every(period, last=last), timeframe)
    assert warning.code == "FUTURE_CANDLE"
    assert "broker" in warning.message


@pytest.mark.parametrize("timeframe", ["1d", "1w", "1M"])
def test_a_day_that_begins_at_midnight_in_a_time_zone_is_attributed_to_a_brokers_clock(timeframe: str) -> None:
    last = datetime(2026, 11, 26, tzinfo=UTC).timestamp() * 1e3
    evening = last - 1.5 * HOUR  # half past midnight in Athens
    series = [shifted(last, timeframe, -i) for i in range(9, -1, -1)]
    (warning,) = warned(series, timeframe, evening)
    assert warning.code == "FUTURE_CANDLE"
    assert "broker" in warning.message
    (warning,) = warned(series, timeframe, last - 20 * HOUR)
    assert "broker" not in warning.message


@pytest.mark.parametrize("lead", [20 * 60_000.0, 90 * 60_000.0, 40 * HOUR, 300 * DAY])
def test_another_lead_is_not_attributed_to_a_brokers_clock(lead: float) -> None:
    (warning,) = warned(every(60_000.0, last=NOW - NOW % 60_000.0 + lead), "1min")
    assert warning.code == "FUTURE_CANDLE"
    assert "broker" not in warning.message


def test_the_year_9999_is_no_error() -> None:
    last = 253_402_300_799_999.0
    for timeframe in get_args(Timeframe):
        assert codes([last - PERIODS[timeframe], last], timeframe) == ["FUTURE_CANDLE"]
