"""The questions of a request: one for each item of its batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from operator import ge, le
from typing import Self

import numpy as np

from core.errors import InvalidInput
from core.features.candles import Candles, Floats
from core.inference.inputs import CandleWindows, GivenWindows, Rows, WindowSource
from core.inference.warnings import NO_TIMESTAMPS, unfinished
from core.native import extension
from core.serving.routing import Question
from server.api.candle_forms import check_bars
from server.api.places import PathsOfCandles, PathsOfWindows, moved
from server.api.schemas.predictions import LEAST_PRICE, MOST_PRICE, MOST_VOLUME, Stamp
from server.api.timestamps import KEPT, Times, times_of
from server.open_inference.common import WindowKind
from server.open_inference.inference import Inference
from server.open_inference.tensors import CANDLE_FIELDS, check_finite, element

_BOUNDS = dict.fromkeys(CANDLE_FIELDS, (LEAST_PRICE, MOST_PRICE)) | {"volume": (0.0, MOST_VOLUME)}
_LEAST, _MOST = zip(*_BOUNDS.values(), strict=True)


class _PlacesOfSeries(PathsOfCandles):
    """Places in one item of the tensor of candles."""

    series = "candles"

    def __init__(self, item: int, order: Sequence[int] | None = None) -> None:
        super().__init__(order)
        self._item = item

    def sorted(self, order: Sequence[int]) -> Self:
        """The same for candles that are sorted."""
        return type(self)(self._item, order)

    def field(self, index: int, field: str) -> str:
        """The place of a candle's field."""
        return element("candles", (self._item, self.number(index), CANDLE_FIELDS.index(field)))

    def first_timestamp(self) -> str:
        """The place of the timestamps, a tensor of its own that is missing."""
        return "timestamps"


_FIRST = _PlacesOfSeries(0)


class _PlacesOfTensors(PathsOfWindows):
    """Places in one item of the tensors of windows."""

    form_by_stage = "sent as one tensor for each stage, {0}_stage1 and {0}_stage2"

    def __init__(self, kind: WindowKind, item: int) -> None:
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
        """`since`, `until`: when the request arrived, and its deadline, of time.perf_counter.

        request_id: for the log.
        """
        self.count = asked.head.common.items
        self._asked, self._head = asked, asked.head
        self._since, self._until, self._request_id = since, until, request_id

    def question(self, item: int) -> Question:
        """The question of one item. Raises InvalidInput."""
        head = self._head
        _, timeframe, user, windows, _ = head.common
        source: WindowSource
        source = self._candle_windows(item) if windows is None else self._given_windows(windows, item)
        return Question(
            head.parameters.pair,
            timeframe,
            head.version,
            user,
            source,
            self._since,
            self._until,
            self._request_id,
        )

    def _candle_windows(self, item: int) -> CandleWindows:
        asked, head = self._asked, self._head
        timeframe = head.common.timeframe
        # A copy with each field in one piece, as the indicators read it. It does not keep the whole body in memory.
        rows, values = asked.item("candles", item), None
        if extension is not None and (packed := extension.bars(rows)) is not None:
            values = np.frombuffer(packed).reshape(len(CANDLE_FIELDS), -1)
        is_checked = values is not None
        if values is None:
            values = np.array(asked.elements("candles", item).T, np.float64, order="C")
            _check_bounds(values, item)
        places = _PlacesOfSeries(item) if item else _FIRST
        try:
            if not is_checked:
                check_bars(values)
            times = None
            if "timestamps" in head.places and values.shape[1]:
                times = _times(bytes(asked.item("timestamps", item)), timeframe, head.parameters.timestamps)
        except InvalidInput as error:
            raise _in_tensors(error, item) from None
        if times is None:
            return CandleWindows(Candles(values), (NO_TIMESTAMPS,), places)
        if times.order is not None:
            values, places = values[:, times.order], places.sorted(times.order)
        warnings = times.warnings + unfinished(times.opens[-1], timeframe, time.time() * 1e3)
        return CandleWindows(Candles(values, times.opens), warnings, places)

    def _given_windows(self, kind: WindowKind, item: int) -> GivenWindows:
        asked = self._asked
        windows: dict[str, Rows] = {}
        for stage, name in kind.tensors.items():
            if name in asked.head.places:
                values = asked.elements(name, item)
                check_finite(name, item, values)
                windows[stage or ""] = values.astype(np.float64)
        places = _PlacesOfTensors(kind, item)
        given = windows.get("", windows)
        return GivenWindows(given, scaled=kind.scaled, places=places, opens=asked.head.common.opens)


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
