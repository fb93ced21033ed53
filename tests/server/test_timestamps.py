from __future__ import annotations

import pytest

from core.errors import InvalidInput
from server.timestamps import instants_of, order_of


def order_of_time(timestamps: list[str | float | None]) -> list[int] | None:
    instants = instants_of(timestamps)
    return None if instants is None else order_of(instants)


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
