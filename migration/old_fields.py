"""The fields of the old service's JSON: each is found under one of its names, and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec

from core.experiments.experiment import Micros, Share

Fields: TypeAlias = Mapping[str, Any]

# The default of a field that must be present.
REQUIRED = object()

# The old service wrote `isoformat() + "Z"`, and after a restart its times had a zone already: `...+00:00Z`. The first
# zone is the right one.
_SECOND_ZONE = re.compile(r"(?<=\d)(Z|[+-]\d\d:?\d\d)(?:Z|\+00:?00)+\Z")

# For these types, msgspec's message would not name the range.
_EXPECTED = {Share: "expected a number from 0 to 1, such as 0.5"}


class BadFile(Exception):
    """A file that cannot be imported. The message has the path of the field, and what is wrong with it."""


def take(data: Fields, names: tuple[str, ...], kind: Any, default: Any = REQUIRED, *, path: str = "") -> Any:  # noqa: ANN401 - each has its type
    """The checked value under the first of the names that is present and not null. Raises BadFile."""
    name = name_of(data, names)
    value = data.get(name)
    if value is None:
        if default is REQUIRED:
            raise BadFile(f"{path}{name}: missing")
        return default
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise BadFile(f"{path}{name}: {_EXPECTED.get(kind, error)}") from None


def name_of(data: Fields, names: tuple[str, ...]) -> str:
    """The first of the names that is present with a value other than null; the first of all if none is."""
    return next((name for name in names if data.get(name) is not None), names[0])


def take_instant(data: Fields, names: tuple[str, ...]) -> Micros | None:
    """ISO 8601 (UTC if it names no zone) or seconds since 1970, in microseconds; None if there is no value."""
    name = name_of(data, names)
    value = take(data, (name,), str | float | None, None)
    if value is None:
        return None
    try:
        if isinstance(value, str):
            instant = datetime.fromisoformat(_SECOND_ZONE.sub(r"\1", value))
        else:
            instant = datetime.fromtimestamp(value, UTC)
        # The conversion to UTC fails for instants that no answer could show.
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise BadFile(f"{name}: {value!r} is not a time, expected ISO 8601 or seconds since 1970") from None
    return round(instant.timestamp() * 1_000_000)
