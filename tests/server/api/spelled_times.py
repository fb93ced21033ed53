"""Instants, and all forms in which a client can write one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

SECOND = 1_000_000


# The years 1973 to 2105. Smaller numbers are never milliseconds; a float64 of later seconds has no microseconds.
instants = st.one_of(
    st.integers(100_000_000, 2**32).map(lambda seconds: seconds * SECOND),
    st.integers(100_000_000_000, 2**32 * 1000).map(lambda milliseconds: milliseconds * 1000),
    st.integers(100_000_000 * SECOND, 2**32 * SECOND),
)


def iso(micros: int) -> list[str]:
    """Every form of ISO 8601 that gives the whole instant."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    text = moment.isoformat()
    east, west = (moment.astimezone(timezone(timedelta(minutes=minutes))) for minutes in (345, -210))
    basic = [f"{moment:%Y%m%dT%H%M%S.%f}Z".zfill(23), f"{moment.replace(tzinfo=None)}"]
    return [text, text.replace("+00:00", "Z"), east.isoformat(), west.isoformat(" "), *basic]


def spellings(micros: int) -> list[str | float]:
    """All forms of an instant of the years 1973 to 2105."""
    numbers: list[float] = [micros / SECOND, micros / 1000]
    if micros % SECOND == 0:
        numbers.append(micros // SECOND)
    if micros % 1000 == 0:
        numbers.append(micros // 1000)
    return [*iso(micros), *numbers]
