from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from server.api import timestamps
from server.api.timestamps import instants_of, order_of, times_of
from tests.server.api.spelled_times import instants, iso, spellings


@given(instants)
@settings(max_examples=300, deadline=None)
def test_an_instant_is_the_same_number_in_whichever_way_it_is_written(micros: int) -> None:
    # To the bit: it is by this that a candle which comes twice is found.
    assert set(instants_of(spellings(micros)) or []) == {micros / 1000}


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001 - they get UTC
@settings(max_examples=200, deadline=None)
def test_iso_8601_of_any_year_is_that_instant(moment: datetime) -> None:
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert set(instants_of(iso(micros)) or []) == {micros / 1000}


def order_of_time(given: list[str | float | None]) -> list[int] | None:
    instants = instants_of(given)
    return None if instants is None else order_of(instants, given)


@pytest.mark.parametrize(
    "timestamps",
    [
        [],
        [None, None],
        ["2025-10-16T09:00:00Z", "2025-10-16T10:00:00Z"],
        ["2025-10-16", "2025-10-17"],
        ["2025-10-16T09:00:00", "2025-10-16T09:30:00Z"],
        ["2025-10-16T12:00:00+02:00", "2025-10-16T10:30:00Z"],
        [1760605200, 1760608800],
        [1760605200000, 1760608800000],
        [1760605200.5, 1760608800000],
        ["2025-10-16T09:00:00Z", 1760608800],
        [-5, 0],
        [-200_000_000_000, -5],
        [253_402_300_799, 253_402_300_799_999],
        [-62_135_596_800, 0],
        ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"],
    ],
)
def test_what_is_in_order_stays(timestamps: list[str | float | None]) -> None:
    assert order_of_time(timestamps) is None


def test_what_is_not_in_order_is_sorted_whichever_way_it_is_written() -> None:
    assert order_of_time([1760612400, "2025-10-16T09:00:00Z", 1760608800000]) == [1, 2, 0]


@pytest.mark.parametrize(
    ("timestamps", "path"),
    [
        (["2025-10-16T09:00:00Z", None], "data[1].timestamp"),
        ([1760605200, "2025-10-16T09:00:00Z"], "data[1].timestamp"),
        ([3, 2, 1, 2], "data[3].timestamp"),
        (["2025-10-16T09:00:00.000007Z", 1760605200000.007], "data[1].timestamp"),
        (["2025-13-01"], "data[0].timestamp"),
        ([""], "data[0].timestamp"),
        (["1760605200"], "data[0].timestamp"),
        ([1, 10**30], "data[1].timestamp"),
        ([1, 253_402_300_800_000], "data[1].timestamp"),
        ([-(10**30), 1], "data[0].timestamp"),
        ([-62_135_596_800_001, 1], "data[0].timestamp"),
        (["0001-01-01T00:00:00+14:00", 1], "data[0].timestamp"),
        ([1, "9999-12-31T23:59:59-14:00"], "data[1].timestamp"),
        ([1, "9999-12-31T23:59:59.999999Z"], "data[1].timestamp"),
    ],
)
def test_a_timestamp_that_cannot_be_used_is_named(timestamps: list[str | float | None], path: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        order_of_time(timestamps)
    assert raised.value.details[0].path == path


HOURS = ("2025-10-16T09:00:00Z", "2025-10-16T10:00:00Z", "2025-10-16T11:00:00Z")


def test_a_series_is_read_the_same_whether_it_is_remembered_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [
        (HOURS, "1h", None),
        (HOURS, "4h", None),
        (HOURS, "1h", "close"),
        (HOURS[::-1], "1h", None),
        ((1760605200, *HOURS[1:]), "1h", None),
        ((1760605200.0, *HOURS[1:]), "1h", None),
        (("2025-10-16T09:00:00", *HOURS[1:]), "1h", None),
        ((None, None, None), "1h", None),
    ]
    found = [times_of(*each) for _ in range(2) for each in asked]  # type: ignore[arg-type]
    monkeypatch.setattr(timestamps, "_KEPT", 0)
    assert found == [times_of(*each) for each in asked] * 2  # type: ignore[arg-type]
    codes = [None if times is None else [warning.code for warning in times.warnings] for times in found[:8]]
    assert codes == [[], ["SPACING"], [], [], [], [], ["MIXED_TIME_ZONES"], None]


def test_a_series_that_is_refused_is_refused_again() -> None:
    for _ in range(2):
        with pytest.raises(InvalidInput):
            times_of((*HOURS, HOURS[0]), "1h", None)
