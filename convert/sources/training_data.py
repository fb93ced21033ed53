"""What a stage's metadata say about its training data: the range of each feature, a typical window, the labels."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import msgspec

from convert.errors import Refused
from convert.sources.versions import StageSource
from core.bundles.limits import LARGEST

# The keys in a stage's metadata.
RANGES = "scaled_ranges"
BACKGROUND = "background_window"
LABEL = "label"
# Limits lie half a range beyond these values, and must fit float32 too.
_MOST_SCALED = LARGEST / 4

T = TypeVar("T")


def training_ranges(stage: StageSource) -> tuple[tuple[float, float], ...] | None:
    """The smallest and largest scaled value of each feature in training, in the order of the features.

    None if the metadata have no ranges. Raises Refused, which names the feature.
    """
    if RANGES not in stage.metadata:
        return None
    place = f"{stage.files.metadata}: {RANGES}"
    given = _converted(stage.metadata[RANGES], dict[str, Any], place)
    ranges = []
    for name in stage.features:
        if name not in given:
            raise Refused.at(place, f"no range for {name}, a feature of {stage.files.features}")
        low, high = _converted(given[name], tuple[float, float], f"{place}.{name}")
        if not -_MOST_SCALED <= low <= high <= _MOST_SCALED:
            raise Refused.at(
                f"{place}.{name}",
                f"[{low:g}, {high:g}] is not a range of scaled values; expected [smallest, largest]",
            )
        ranges.append((low, high))
    return tuple(ranges)


def background(stage: StageSource, window: tuple[int, int]) -> tuple[tuple[float, ...], ...] | None:
    """The window of scaled inputs, (steps, features), that explanations compare with.

    None if the metadata have none. Raises Refused unless it has the shape of the model's window and finite numbers.
    """
    if stage.metadata.get(BACKGROUND) is None:
        return None
    place = f"{stage.files.metadata}: {BACKGROUND}"
    found = _converted(stage.metadata[BACKGROUND], tuple[tuple[float, ...], ...], place)
    steps, width = window
    if len(found) != steps:
        raise Refused.at(place, f"{len(found)} steps, but the model takes {steps}; give one list of values a step")
    for i, step in enumerate(found):
        if len(step) != width:
            raise Refused.at(f"{place}[{i}]", f"{len(step)} values, but the model takes {width} features")
        for j, value in enumerate(step):
            if not math.isfinite(value) or abs(value) > LARGEST:
                raise Refused.at(f"{place}[{i}][{j}]", f"{value:g} is too large for the network, which takes float32")
    return found


def _converted(value: object, kind: type[T], place: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text, _, within = str(error).partition(" - at `$")
        raise Refused.at(place + within.rstrip("`"), text) from None
