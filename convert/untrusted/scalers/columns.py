"""The columns that a scaler's record states, without scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from convert.untrusted.records import ArrayRecord, ObjectsRecord, ScalerFile

# Fitted constants with one value a column.
_CONSTANTS = ("scale_", "mean_", "center_", "min_")


class FittedColumns(NamedTuple):
    """What the scalers of a file were fitted on. kinds: their classes. fitted: how many columns; None if unknown."""

    kinds: tuple[str, ...]
    fitted: int | None
    names: tuple[str, ...]


def columns(file: ScalerFile) -> FittedColumns:
    """The columns of the first scaler that states them."""
    kinds: list[str] = []
    count, names = None, tuple[str, ...]()
    for each in _estimators(file.scaler):
        attributes: dict[str, Any] = getattr(each, "attributes", {})
        kinds.append(str(getattr(each, "name", type(each).__name__.removesuffix("Record"))))
        count = count if count is not None else _count(attributes)
        found = attributes.get("feature_names_in_")
        if isinstance(found, ObjectsRecord) and not names:
            names = tuple(map(str, found.items))
    return FittedColumns(tuple(kinds), count, names)


def _estimators(found: object) -> Iterator[object]:
    steps = getattr(found, "steps", None)
    if isinstance(steps, list):
        for _, step in steps:
            yield from _estimators(step)
    elif isinstance(found, msgspec.Struct):
        yield found


def _count(attributes: dict[str, Any]) -> int | None:
    stated = attributes.get("n_features_in_")
    if isinstance(stated, ArrayRecord):
        stated = stated.value()
    if isinstance(stated, int):
        return int(stated)
    for key in _CONSTANTS:
        value = attributes.get(key)
        if isinstance(value, ArrayRecord) and len(value.shape) == 1:
            return value.shape[0]
    return None
