"""Times in the files of the old service."""

from __future__ import annotations

from typing import Any

import pytest

from migration.old_fields import BadFile, take_instant

AT = 1_795_864_492_698_676  # 2026-11-28 11:14:52.698676 UTC


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28T11:14:52.698676",
        "2026-11-28T11:14:52.698676Z",
        "2026-11-28T11:14:52.698676+00:00Z",
        "2026-11-28T11:14:52.698676+00:00+00:00Z",
        "2026-11-28T11:14:52.698676ZZ",
        "2026-11-28T13:14:52.698676+02:00Z",
        "2026-11-28T06:14:52.698676-0500Z",
        "2026-11-28 11:14:52.698676+00:00",
    ],
)
def test_the_first_zone_of_a_time_counts(text: str) -> None:
    assert take_instant({"start_time": text}, ("created_at", "start_time")) == AT


@pytest.mark.parametrize("text", ["2026-11-28T11:14:52Z+02:00", "Z", "+00:00Z", "yesterday"])
def test_other_texts_are_not_times(text: str) -> None:
    with pytest.raises(BadFile, match=r"^start_time: "):
        take_instant({"start_time": text}, ("start_time",))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, 10**400, "0001-01-01T00:00:00+14:00", True])
def test_an_instant_that_no_answer_could_show_is_refused(value: Any) -> None:  # noqa: ANN401 - JSON
    with pytest.raises(BadFile, match=r"^start_time: "):
        take_instant({"start_time": value}, ("start_time",))


def test_no_value_is_no_time() -> None:
    assert take_instant({"start_time": None}, ("created_at", "start_time")) is None
