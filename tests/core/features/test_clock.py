"""The features of a candle's own time, compared with a calendar."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.features import catalogue
from core.features.candles import Candles
from core.features.table import Table
from tests import market, transcription
from tests.core.features.computing import CLOCK, SCALE_FREE
from tests.market import V31

HOUR = 3_600_000.0
# 2025-10-20 is a Monday.
MONDAY = datetime(2025, 10, 20, tzinfo=UTC).timestamp() * 1e3


def timed(start: int, count: int, first: float = MONDAY, step: float = HOUR) -> Candles:
    """Bars that open at these times."""
    return Candles(market.candles(start, count).values, tuple(first + step * k for k in range(count)))


def test_every_feature_equals_the_pandas_transcription_on_the_real_series() -> None:
    frame = market.frame().iloc[:3000]
    stamps = pd.to_datetime(frame["timestamp"], utc=True).dt.tz_convert(None)
    opens = stamps.to_numpy("datetime64[us]").astype(np.float64) / 1e3
    candles = Candles(market.candles(0, 3000).values, opens)
    found = catalogue.matrix(candles, CLOCK, 2000)
    expected = transcription.features(frame)[CLOCK].to_numpy()[-2000:]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    assert set(found[:, CLOCK.index("weekday")]) == {0.0, 1.0, 2.0, 3.0, 4.0, 6.0}  # the market is closed on Saturdays


# Microseconds of the years 1700 to 2250, which pandas can hold.
instants = st.integers(-8_520_336_000_000_000, 8_835_955_200_000_000)


@given(st.lists(instants, min_size=5, max_size=5))
@settings(deadline=None)
def test_every_feature_equals_the_calendar_at_any_microsecond(microseconds: list[int]) -> None:
    frame = market.frame().iloc[:5].assign(timestamp=pd.to_datetime(microseconds, unit="us", utc=True))
    opens = [each / 1e3 for each in microseconds]
    found = catalogue.matrix(Candles(market.candles(0, 5).values, opens), CLOCK, 5)
    expected = transcription.features(frame)[CLOCK].to_numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("milliseconds", "hour", "weekday"),
    [
        (0.0, 0.0, 3.0),  # a Thursday
        (-1.0, 24.0 - 1.0 / HOUR, 2.0),
        (MONDAY, 0.0, 0.0),
        (MONDAY - 0.001, 24.0, 6.0),
        (MONDAY + 47.25 * HOUR, 23.25, 1.0),
        (-62_135_596_800_000.0, 0.0, 0.0),  # the year 1
        (253_402_300_799_999.0, 24.0 - 1.0 / HOUR, 4.0),  # the year 9999
    ],
)
def test_hours_and_days_at_the_edges(milliseconds: float, hour: float, weekday: float) -> None:
    candles = Candles(market.candles(0, 1).values, [milliseconds])
    (found,) = catalogue.matrix(candles, ["hour", "weekday"], 1)
    assert found[0] < 24.0
    assert found.tolist() == pytest.approx([hour, weekday], abs=1e-9)


def test_sine_and_cosine_turn_once_a_day_and_once_a_week() -> None:
    found = catalogue.matrix(timed(0, 168), ["hour_sin", "hour_cos", "week_sin", "week_cos"], 168)
    at = {0: (0, 1, 0, 1), 6: (1, 0, None, None), 42: (-1, 0, 1, 0), 84: (0, -1, 0, -1), 126: (1, 0, -1, 0)}
    for row, values in at.items():
        for value, expected in zip(found[row], values, strict=True):
            assert expected is None or value == pytest.approx(expected, abs=1e-12), row


def test_the_table_gives_each_series_its_own_times() -> None:
    names = ["hour_sin", "close", "weekday", "macd", "move_10_atr"]
    series = [timed(0, 300), timed(500, 300, MONDAY + 31 * HOUR), timed(900, 300, step=HOUR / 60)]
    table = Table(names, 20)
    together = table(series)[..., table.columns(names)]
    for candles, found in zip(series, together, strict=True):
        np.testing.assert_allclose(found, catalogue.matrix(candles, names, 20), rtol=0, atol=1e-12)
        np.testing.assert_allclose(table([candles])[0][:, table.columns(names)], found, rtol=0, atol=1e-12)


def test_candles_without_times_are_an_error_only_where_times_are_needed() -> None:
    candles = market.candles(0, 60)
    with pytest.raises(ValueError, match="need candles with times"):
        catalogue.matrix(candles, ["hour"], 5)
    assert np.isfinite(Table([*V31, *SCALE_FREE], 5)([candles, timed(0, 60)])).all()


def test_the_names_that_need_times() -> None:
    assert catalogue.needing_times(["close", *CLOCK, "sma_5", "volume"]) == tuple(CLOCK)
