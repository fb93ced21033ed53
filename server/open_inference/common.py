"""What all items of a request have in common, and which tensors fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from core.errors import InvalidInput
from core.features.timeframes import Timeframe
from server.api.decoding import timeframe_of, user_of
from server.api.schemas.open_inference import InferParameters
from server.api.timestamps import instant
from server.open_inference.tensors import Shape


class WindowKind(NamedTuple):
    """A set of window tensors. tensors: by the stage that it is for; None stands for all stages."""

    tensors: dict[str | None, str]
    scaled: bool


_KINDS = (
    WindowKind({None: "features"}, scaled=True),
    WindowKind({None: "raw_features"}, scaled=False),
    WindowKind({"stage1": "features_stage1", "stage2": "features_stage2"}, scaled=True),
    WindowKind({"stage1": "raw_features_stage1", "stage2": "raw_features_stage2"}, scaled=False),
)
_EXPECTED = "candles, features, raw_features, features_stage1 and features_stage2, or the same with raw_"


class Common(NamedTuple):
    """What all items have in common. items: their number. windows: the kind that was sent; None for candles.

    opens: when the last candle of the windows opened, in milliseconds since 1970; None if unknown.
    """

    items: int
    timeframe: Timeframe
    user: str | None
    windows: WindowKind | None
    opens: float | None

    @classmethod
    def of(cls, parameters: InferParameters, shapes: Mapping[str, Shape]) -> Common:
        """That of a request with tensors of these shapes. Raises InvalidInput if they do not fit each other."""
        named = parameters.user_id is not None or parameters.userId is not None
        about = timeframe_of(parameters.timeframe), user_of(parameters, "parameters.") if named else None
        if "candles" in shapes:
            return cls(_checked_candles(parameters, shapes), *about, None, None)
        kind = _kind_of_windows(shapes)
        count = _checked_windows(kind, shapes)
        given = parameters.candle_time
        return cls(count, *about, kind, None if given is None else instant(given, "parameters.candle_time"))


def _checked_candles(parameters: InferParameters, shapes: Mapping[str, Shape]) -> int:
    _refuse_others(shapes, {"candles", "timestamps"}, "candles")
    if parameters.candle_time is not None:
        raise InvalidInput.at("parameters.candle_time", "is only for features; candles have timestamps each")
    count, rows, _ = shapes["candles"]
    if "timestamps" in shapes and (times := tuple(shapes["timestamps"])) != (count, rows):
        raise InvalidInput.at("timestamps.shape", f"must be [{count}, {rows}] as of candles, not {list(times)}")
    return count


def _kind_of_windows(shapes: Mapping[str, Shape]) -> WindowKind:
    for kind in _KINDS:
        if shapes.keys() & set(kind.tensors.values()):
            return kind
    if "timestamps" in shapes:
        raise InvalidInput.at("timestamps", "is only for candles, which are missing; send candles as well")
    raise InvalidInput.at("inputs", f"an input is missing; send {_EXPECTED}")


def _checked_windows(kind: WindowKind, shapes: Mapping[str, Shape]) -> int:
    tensors = [*kind.tensors.values()]
    _refuse_others(shapes, set(tensors), next(name for name in tensors if name in shapes))
    if tensors[0] not in shapes:
        raise InvalidInput.at("inputs", f"{tensors[0]} is missing; send it with {tensors[1]}")
    first, *others = (shapes[name][0] for name in tensors if name in shapes)
    for size in others:
        if size != first:
            message = f"must have a batch of {first}, as {tensors[0]} has, not of {size}"
            raise InvalidInput.at(f"{tensors[1]}.shape", message)
    return first


def _refuse_others(shapes: Mapping[str, Shape], allowed: set[str], first: str) -> None:
    for name in shapes:
        if name not in allowed:
            raise InvalidInput.at(name, f"cannot be sent together with {first}; send one of them")
