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
def test_all_forms_of_an_instant_give_the_same_number(micros: int) -> None:
    # Equal to the last bit: duplicates are found by this number.
    assert set(instants_of(spellings(micros)) or []) == {micros / 1000}


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001 - the zone is added
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
def test_timestamps_in_order_are_not_sorted(timestamps: list[str | float | None]) -> None:
    assert order_of_time(timestamps) is None


def test_timestamps_of_several_forms_are_sorted() -> None:
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


@pytest.mark.parametrize(
    ("timestamps", "words"),
    [
        (["1700000000"], ['"1700000000"', "without quotes"]),
        (["1710120600000"], ['"1710120600000"', "without quotes"]),
        (["+055840-11-08T22:13:20.000Z"], ["1 to 9999", "milliseconds"]),
        ([" 1700000000.5 "], ['" 1700000000.5 "', "without quotes"]),
        ([1_700_000_000_000_000], ["1700000000000000 ", "microseconds", "1,000"]),
        ([1.7e15], ["microseconds"]),
        ([1_700_000_000_000_000_000], ["1700000000000000000 ", "nanoseconds", "1,000,000"]),
        ([10**30], ["1 to 9999", str(10**30)]),
        ([-(10**300)], ["1 to 9999", "-1000", "…"]),
        ([-1e300], ["1 to 9999", "-1e+300"]),
        (["29.06.2017 21:00"], ['"29.06.2017 21:00"', "2025-10-16T09:00:00Z"]),
        (["9999-12-31T23:59:59-14:00"], ['"9999-12-31T23:59:59-14:00"']),
        ([3, 2, 3], ["3 is the same instant as data[0].timestamp, 3"]),
        ([None, 5, None], ["data[1].timestamp"]),
    ],
)
def test_an_error_quotes_the_timestamp_and_says_what_it_looks_like(
    timestamps: list[str | float | None], words: list[str]
) -> None:
    with pytest.raises(InvalidInput) as raised:
        order_of_time(timestamps)
    assert all(word in raised.value.message for word in words), raised.value.message
    assert len(raised.value.message) < 250


@pytest.mark.parametrize(
    ("first", "second", "without"),
    [
        ("2025-10-16T09:00:00Z", "2025-10-16T09:00:00", ["2025-10-16T09:00:00"]),
        ("2025-10-16T09:00:00", 1760605200, ["2025-10-16T09:00:00"]),
        ("2025-10-16T09:00:00", "2025-10-16 09:00", ["2025-10-16 09:00", "2025-10-16T09:00:00"]),
        ("2025-10-16T09:00:00Z", "2025-10-16T11:00:00+02:00", []),
    ],
)
def test_an_error_about_a_duplicate_notes_each_time_without_a_zone(
    first: str | float, second: str | float, without: list[str]
) -> None:
    with pytest.raises(InvalidInput) as raised:
        order_of_time([first, second])
    ((path, message),) = raised.value.details
    assert path == "data[1].timestamp"
    assert "data[0].timestamp" in message
    assert message.count("names no zone") == len(without)
    for text in without:
        assert f'"{text}" (read as UTC, since it names no zone)' in message


HOURS = ("2025-10-16T09:00:00Z", "2025-10-16T10:00:00Z", "2025-10-16T11:00:00Z")


def test_a_cached_series_is_read_like_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
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
    monkeypatch.setattr(timestamps, "KEPT", 0)
    assert found == [times_of(*each) for each in asked] * 2  # type: ignore[arg-type]
    codes = [None if times is None else [warning.code for warning in times.warnings] for times in found[:8]]
    assert codes == [[], ["SPACING"], [], [], [], [], ["MIXED_TIME_ZONES"], None]


def test_a_refused_series_is_refused_again() -> None:
    for _ in range(2):
        with pytest.raises(InvalidInput):
            times_of((*HOURS, HOURS[0]), "1h", None)
