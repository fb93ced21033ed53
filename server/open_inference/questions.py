"""The questions of a request: one for each item of its batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from operator import ge, le
from typing import NamedTuple

import numpy as np

from core.errors import InvalidInput
from core.features.candles import Candles, Floats
from core.inference.inputs import CandleWindows, GivenWindows, Rows, WindowSource
from core.inference.warnings import NO_TIMESTAMPS, unfinished
from core.native import extension
from core.serving.routing import Question
from server.api.candle_forms import check_bars
from server.api.decoding import timeframe_of, user_of
from server.api.places import PathsOfCandles, PathsOfWindows, moved
from server.api.schemas.predictions import LEAST_PRICE, MOST_PRICE, MOST_VOLUME, Stamp
from server.api.timestamps import KEPT, Times, instant, times_of
from server.open_inference.inference import Inference
from server.open_inference.tensors import CANDLE_FIELDS, check_finite, element

_BOUNDS = dict.fromkeys(CANDLE_FIELDS, (LEAST_PRICE, MOST_PRICE)) | {"volume": (0.0, MOST_VOLUME)}
_LEAST, _MOST = zip(*_BOUNDS.values(), strict=True)


class _WindowKind(NamedTuple):
    """A set of window tensors. tensors: by the stage that it is for; None stands for all stages."""

    tensors: dict[str | None, str]
    scaled: bool


_KINDS = (
    _WindowKind({None: "features"}, scaled=True),
    _WindowKind({None: "raw_features"}, scaled=False),
    _WindowKind({"stage1": "features_stage1", "stage2": "features_stage2"}, scaled=True),
    _WindowKind({"stage1": "raw_features_stage1", "stage2": "raw_features_stage2"}, scaled=False),
)
_EXPECTED = "candles, features, raw_features, features_stage1 and features_stage2, or the same with raw_"


class _PlacesOfSeries(PathsOfCandles):
    """Places in one item of the tensor of candles."""

    series = "candles"

    def __init__(self, item: int, order: Sequence[int] | None = None) -> None:
        super().__init__(order)
        self._item = item

    def field(self, index: int, field: str) -> str:
        """The place of a candle's field."""
        return element("candles", (self._item, self.number(index), CANDLE_FIELDS.index(field)))

    def first_timestamp(self) -> str:
        """The place of the timestamps, a tensor of its own that is missing."""
        return "timestamps"


class _PlacesOfTensors(PathsOfWindows):
    """Places in one item of the tensors of windows."""

    form_by_stage = "sent as one tensor for each stage, {0}_stage1 and {0}_stage2"

    def __init__(self, kind: _WindowKind, item: int) -> None:
        self._tensors = kind.tensors
        self._item = item
        self.form_by_stage = self.form_by_stage.format("features" if kind.scaled else "raw_features")

    def window(self, stage: str | None) -> str:
        """The place of a whole window."""
        return self._tensors[stage]

    def row(self, stage: str | None, row: int) -> str:
        """The place of one of its rows."""
        return element(self._tensors[stage], (self._item, row))


class Questions:
    """The questions of one request. `count`: the items of its batch."""

    def __init__(self, asked: Inference, since: float, until: float, request_id: str = "") -> None:
        """Raise InvalidInput if the inputs or parameters do not fit each other.

        since, until: when the request arrived, and its deadline, of time.perf_counter. request_id: for the log.
        """
        parameters = asked.parameters
        self._asked = asked
        self._common = since, until, request_id
        self._timeframe = timeframe_of(parameters.timeframe)
        named = parameters.user_id is not None or parameters.userId is not None
        self._user = user_of(parameters, "parameters.") if named else None
        self._windows: _WindowKind | None = None
        self._opens: float | None = None
        if "candles" in asked.inputs:
            self.count = self._check_candles()
        else:
            self._windows = self._kind_of_windows()
            self.count = self._check_windows(self._windows)

    def question(self, item: int) -> Question:
        """The question of one item. Raises InvalidInput."""
        source: WindowSource
        source = self._candle_windows(item) if self._windows is None else self._given_windows(self._windows, item)
        pair = self._asked.parameters.pair
        return Question(pair, self._timeframe, self._asked.version, self._user, source, *self._common)

    def _check_candles(self) -> int:
        inputs = self._asked.inputs
        self._refuse_others({"candles", "timestamps"}, "candles")
        if self._asked.parameters.candle_time is not None:
            raise InvalidInput.at("parameters.candle_time", "is only for features; candles have timestamps each")
        count, rows, _ = inputs["candles"].shape
        if "timestamps" in inputs and (times := inputs["timestamps"].shape) != (count, rows):
            raise InvalidInput.at("timestamps.shape", f"must be [{count}, {rows}] as of candles, not {list(times)}")
        return int(count)

    def _kind_of_windows(self) -> _WindowKind:
        names = self._asked.inputs.keys()
        for kind in _KINDS:
            if names & set(kind.tensors.values()):
                return kind
        if "timestamps" in names:
            raise InvalidInput.at("timestamps", "is only for candles, which are missing; send candles as well")
        raise InvalidInput.at("inputs", f"an input is missing; send {_EXPECTED}")

    def _check_windows(self, kind: _WindowKind) -> int:
        inputs, tensors = self._asked.inputs, [*kind.tensors.values()]
        self._refuse_others(set(tensors), next(name for name in tensors if name in inputs))
        if tensors[0] not in inputs:
            raise InvalidInput.at("inputs", f"{tensors[0]} is missing; send it with {tensors[1]}")
        first, *others = (len(inputs[name]) for name in tensors if name in inputs)
        for size in others:
            if size != first:
                message = f"must have a batch of {first}, as {tensors[0]} has, not of {size}"
                raise InvalidInput.at(f"{tensors[1]}.shape", message)
        given = self._asked.parameters.candle_time
        self._opens = None if given is None else instant(given, "parameters.candle_time")
        return first

    def _refuse_others(self, allowed: set[str], first: str) -> None:
        for name in self._asked.inputs:
            if name not in allowed:
                raise InvalidInput.at(name, f"cannot be sent together with {first}; send one of them")

    def _candle_windows(self, item: int) -> CandleWindows:
        inputs, timeframe = self._asked.inputs, self._timeframe
        # A copy with each field in one piece, as the indicators read it. It does not keep the whole body in memory.
        rows, values = inputs["candles"][item], None
        if extension is not None and (packed := extension.bars(rows.data)) is not None:
            values = np.frombuffer(packed).reshape(len(CANDLE_FIELDS), -1)
        is_checked = values is not None
        if values is None:
            values = np.array(rows.T, np.float64, order="C")
            _check_bounds(values, item)
        stamps = inputs.get("timestamps")
        try:
            if not is_checked:
                check_bars(values)
            times = None
            if stamps is not None and values.shape[1]:
                stamp = self._asked.parameters.timestamps
                times = _times(stamps[item].tobytes(), timeframe, stamp)
        except InvalidInput as error:
            raise _in_tensors(error, item) from None
        if times is None:
            return CandleWindows(Candles(values), (NO_TIMESTAMPS,), _PlacesOfSeries(item))
        if times.order is not None:
            values = values[:, times.order]
        warnings = times.warnings + unfinished(times.opens[-1], timeframe, time.time() * 1e3)
        return CandleWindows(Candles(values, times.opens), warnings, _PlacesOfSeries(item, times.order))

    def _given_windows(self, kind: _WindowKind, item: int) -> GivenWindows:
        inputs = self._asked.inputs
        windows: dict[str, Rows] = {}
        for stage, name in kind.tensors.items():
            if name in inputs:
                check_finite(name, item, inputs[name][item])
                windows[stage or ""] = inputs[name][item].astype(np.float64)
        places = _PlacesOfTensors(kind, item)
        given = windows.get("", windows)
        return GivenWindows(given, scaled=kind.scaled, places=places, opens=self._opens)


def _times(stamps: bytes, timeframe: str, stamp: Stamp | None) -> Times | None:
    """As `times_of`, for the bytes of INT64."""
    return (_known_times if len(stamps) <= _KEPT_BYTES else _times_of_bytes)(stamps, timeframe, stamp)


def _times_of_bytes(stamps: bytes, timeframe: str, stamp: Stamp | None) -> Times | None:
    return times_of(tuple(np.frombuffer(stamps, "<i8").tolist()), timeframe, stamp)


# By their bytes, so that no numbers are made and hashed for a series that is known.
_known_times = lru_cache(maxsize=64)(_times_of_bytes)
_KEPT_BYTES = 8 * KEPT


def _check_bounds(values: Floats, item: int) -> None:
    """Raise InvalidInput for a value that is not finite or out of the contract's bounds, in (5, candles) of an item."""
    if not values.shape[1]:
        return
    # One NaN makes the least and the greatest value of its field NaN, which is not within any bounds.
    least, most = np.minimum.reduce(values, axis=1).tolist(), np.maximum.reduce(values, axis=1).tolist()
    if all(map(ge, least, _LEAST)) and all(map(le, most, _MOST)):
        return
    check_finite("candles", item, values.T)
    for column, field in enumerate(CANDLE_FIELDS):
        least, most = _BOUNDS[field]
        wrong = (values[column] < least) | (values[column] > most)
        if wrong.any():
            index = int(np.argmax(wrong))
            shown = f"{field} must be from {least:g} to {most:g}, not {float(values[column, index])!r}"
            raise InvalidInput.at(element("candles", (item, index, column)), shown)


def _in_tensors(error: InvalidInput, item: int) -> InvalidInput:
    """The error of a check of candles with the places of tensors, such as `candles[0][17][1]` for `data[17].high`."""

    def place(index: int, field: str) -> str:
        if field == "timestamp":
            return element("timestamps", (item, index))
        return element("candles", (item, index, CANDLE_FIELDS.index(field)))

    return moved(error, place, CANDLE_FIELDS)
