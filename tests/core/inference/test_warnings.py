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
def test_the_spacing_of_each_timeframe_is_known_and_no_other_is_taken_for_it(timeframe: str) -> None:
    series = [LONG_AGO]
    for _ in range(119):
        series.insert(0, shifted(series[0], timeframe, -1))
    assert codes(series, timeframe) == []
    for other in set(get_args(Timeframe)) - {timeframe}:
        assert codes(series, other) == ["SPACING"], other


def test_gaps_of_a_market_are_no_spacing_of_their_own() -> None:
    weekends = [opens for opens in every(HOUR, 800) if datetime.fromtimestamp(opens / 1e3, UTC).weekday() < 5]
    assert len(weekends) < 600
    assert codes(weekends) == []
    workdays = [opens for opens in every(DAY, 200) if datetime.fromtimestamp(opens / 1e3, UTC).weekday() < 5]
    assert codes(workdays, "1d") == []
    a_third_missing = [opens for i, opens in enumerate(every(60_000.0, 300)) if i % 3]
    assert codes(a_third_missing, "1min") == []


def test_times_of_trades_instead_of_the_grid_fit_within_a_tenth() -> None:
    jittered = [opens + (i * 37 % 11) * 1_000.0 for i, opens in enumerate(every(HOUR))]
    assert codes(jittered) == []
    assert codes(every(0.85 * HOUR)) == ["SPACING"]


def test_spacing_names_the_usual_distance() -> None:
    (warning,) = warned(every(HOUR / 4))
    assert "0:15:00 apart" in warning.message
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
def test_a_candle_that_has_not_ended_is_open_and_one_that_has_not_begun_is_of_the_future(
    ends_in: float, found: list[str]
) -> None:
    assert codes(every(HOUR, last=NOW + ends_in - HOUR)) == found


def test_a_month_ends_with_its_calendar() -> None:
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
def test_a_brokers_clock_is_named_where_the_lead_is_whole_hours(timeframe: str, hours: int, sent: str) -> None:
    period = PERIODS[timeframe]
    last = NOW - NOW % period - (period if sent == "closed" else 0.0) + hours * HOUR
    if sent == "closed" and timeframe == "4h":  # it has begun in spite of its lead
        assert codes(every(period, last=last), timeframe) == ["OPEN_CANDLE"]
        return
    (warning,) = warned(every(period, last=last), timeframe)
    assert warning.code == "FUTURE_CANDLE"
    assert "broker" in warning.message


@pytest.mark.parametrize("timeframe", ["1d", "1w", "1M"])
def test_a_day_that_begins_at_a_brokers_midnight_is_one_of_its_clock(timeframe: str) -> None:
    last = datetime(2026, 11, 26, tzinfo=UTC).timestamp() * 1e3
    evening = last - 1.5 * HOUR  # in Athens it is half past midnight
    series = [shifted(last, timeframe, -i) for i in range(9, -1, -1)]
    (warning,) = warned(series, timeframe, evening)
    assert warning.code == "FUTURE_CANDLE"
    assert "broker" in warning.message
    (warning,) = warned(series, timeframe, last - 20 * HOUR)
    assert "broker" not in warning.message


@pytest.mark.parametrize("lead", [20 * 60_000.0, 90 * 60_000.0, 40 * HOUR, 300 * DAY])
def test_no_broker_is_blamed_for_another_lead(lead: float) -> None:
    (warning,) = warned(every(60_000.0, last=NOW - NOW % 60_000.0 + lead), "1min")
    assert warning.code == "FUTURE_CANDLE"
    assert "broker" not in warning.message


def test_the_end_of_the_calendar_is_no_error() -> None:
    last = 253_402_300_799_999.0
    for timeframe in get_args(Timeframe):
        assert codes([last - PERIODS[timeframe], last], timeframe) == ["FUTURE_CANDLE"]
