"""Read a feature list: names of our features, or our names with the user's names of the same columns.

The user's names are those in the scaler. The order is that of the model's input.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from convert.errors import Refused
from convert.sources import documents
from convert.sources.documents import JsonObject
from convert.sources.feature_names import mapping
from convert.untrusted import limits

_KEY = "features"
_MOST, _NAME = 40, 60  # entries of an offered mapping, and characters of a name in a message
_LEFT = 8  # names without a near one
_FORMS = '["close", "sma_20"], or {"features": […]}, or our names with yours: {"features": {"sma_5": "moving_avg_5"}}'


class FeatureList(NamedTuple):
    """features: our names, in the order of the model's input. column_names: the user's names of the same columns."""

    features: tuple[str, ...]
    column_names: tuple[str, ...]


def read(data: bytes, file: str) -> FeatureList:
    """Read the bytes of a feature list. Raises Refused, which names the file. The names are not yet looked up."""
    try:
        found = _list(documents.decoded(data))
    except Refused as error:
        raise Refused.at(file, error) from None
    return found


def _list(value: Any) -> FeatureList:  # noqa: ANN401 - any JSON value
    given, place = value, ""
    if isinstance(value, JsonObject) and isinstance(value.get(_KEY), list | dict):
        if value.twice == _KEY:
            raise Refused(f"{_KEY} is there twice")
        given, place = value[_KEY], f"{_KEY}: "
    if isinstance(given, list | dict) and len(given) > limits.FEATURES:
        raise Refused(f"{len(given):,} features; at most {limits.FEATURES:,} are converted")
    if isinstance(given, list):
        names = tuple(_text(each, f"{place}[{i}]") for i, each in enumerate(given))
        return FeatureList(names, names)
    if isinstance(given, JsonObject) and (place or (given and all(isinstance(each, str) for each in given.values()))):
        if given.twice is not None:
            raise Refused(f"{place}{given.twice[:_NAME]!r} is there twice; a feature has one column")
        columns = tuple(_text(each, f"{place}{name[:_NAME]}") for name, each in given.items())
        for column in columns:
            if columns.count(column) > 1:
                ours = [name for name, each in given.items() if each == column]
                raise Refused(f"{place}{', '.join(ours[:4])} map to one column, {column[:_NAME]!r}; each has its own")
        return FeatureList(tuple(given), columns)
    raise Refused(f"no list of features; expected {_FORMS}")


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise Refused(f"{place}: expected a name, found {json.dumps(value)[:_NAME]}")
    return value


def offer(names: Sequence[str]) -> str | None:
    """A mapping that a user can paste, for names of which ours are near, and what it lacks. None if none is near."""
    parts = offered(names)
    return None if parts is None else ", and ".join(part for part in parts if part)


def offered(names: Sequence[str]) -> tuple[str, str] | None:
    """The mapping of `offer`, and a sentence about what it lacks, which can be empty."""
    found = mapping(names)
    if not found:
        return None
    shown = dict(list(found.items())[:_MOST])
    left = [name for name in names if name not in found.values()]
    more = f" and {len(left) - _LEFT} more" if len(left) > _LEFT else ""
    lacks = [f"these are the first {_MOST} of {len(found)}"] if len(found) > _MOST else []
    lacks += [f"none is near {', '.join(repr(name[:_NAME]) for name in left[:_LEFT])}{more}"] if left else []
    return json.dumps({_KEY: shown}, ensure_ascii=False), ", and ".join(lacks)
