from __future__ import annotations

from zoneinfo import ZoneInfo

from server.http.clock import Clock, Moment


def test_each_second_is_formatted_once_in_utc_and_in_the_zone() -> None:
    seconds = iter([1760610600.2, 1760610600.9, 1760610601.0, 1760610599.5])
    clock = Clock(ZoneInfo("Asia/Tokyo"), lambda: next(seconds))
    first = clock.now()
    assert first == Moment("2025-10-16T10:30:00Z", "2025-10-16T19:30:00+09:00", "Thu, 16 Oct 2025 10:30:00 GMT")
    assert clock.now() is first
    assert clock.now() == Moment("2025-10-16T10:30:01Z", "2025-10-16T19:30:01+09:00", "Thu, 16 Oct 2025 10:30:01 GMT")
    assert clock.now().utc == "2025-10-16T10:29:59Z"  # a clock can be set back


def test_utc_is_written_with_its_offset() -> None:
    assert Clock(ZoneInfo("UTC"), lambda: 0.0).now().local == "1970-01-01T00:00:00+00:00"
