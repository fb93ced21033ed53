"""The candles of a request's `data`, in each of its forms: objects, columns, and rows whose order is stated.

`read` also takes a matrix of `features` out of a body, because the extension finds either in one pass.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from types import GenericAlias
from typing import Annotated, Any, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import astuple

from core.errors import InvalidInput, quoted
from core.features.candles import MAX_CANDLES, Candles, Floats
from core.inference.warnings import NO_TIMESTAMPS, Warned, unfinished
from core.native import extension
from server.api.places import COLUMNS, DATA, PathsOfCandles, PathsOfRows, moved, replaced
from server.api.schemas.predictions import (
    Candle,
    CandleColumns,
    ColumnNames,
    IsoText,
    Price,
    Stamp,
    Volume,
)
from server.api.timestamps import SentTimes, times_of, times_of_instants
from server.http.bodies import sizes
from server.http.bodies.json_decoding import UNDECODABLE, decode, measure, refuse

_PRICES = ("open", "high", "low", "close")
_FIELDS = (*_PRICES, "volume")
_TYPES: dict[str, Any] = {
    **dict.fromkeys(_PRICES, Price),
    "volume": Volume,
    "timestamp": IsoText | int | float | None,
}

_names_decoder = msgspec.json.Decoder(ColumnNames)
_body_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY_OF_ARRAYS = re.compile(rb"\[[ \t\r\n]*\[")
_NO_CANDLES = msgspec.Raw(b"[]")


class CandleRows(NamedTuple):
    """Candles as rows. names: of the values in each row, which have been checked by their types."""

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class PackedCandles(NamedTuple):
    """Candles that core.native has read and checked. values: float64 (5, n); times: float64 (n,), or null."""

    values: bytes
    times: bytes | None
    places: PathsOfCandles


CandleData: TypeAlias = list[Candle] | CandleColumns | CandleRows | PackedCandles


class WithCandles(Protocol):
    """A request that has candles."""

    @property
    def data(self) -> list[Candle] | CandleColumns | None:
        """They, unless they are rows."""

    @property
    def columns(self) -> msgspec.Raw | UnsetType:
        """The names of the values in each row."""


R = TypeVar("R", bound=WithCandles)


def read(decoder: msgspec.json.Decoder[R], body: bytes | msgspec.Raw) -> tuple[R, CandleData | Floats | None]:
    """Decode a body with candles in any form, or with features. Raises MalformedJson or InvalidInput.

    Rows are an error to the decoder, because their types depend on `columns`. So they are decoded apart, and the
    request has no candles then. Nor has it if the extension has read them. A matrix that the extension has read is
    returned instead of candles, and the request has an empty one then.
    """
    if memoryview(body).nbytes > sizes.UNCOUNTED:  # nearly no body is
        measure(body)  # the extension too takes long for numbers such as 5e-324
    if extension is not None and (packed := extension.body(body)) is not None:
        start, stop, form, values, more = packed
        whole = memoryview(body)
        rest = b"".join((whole[:start], b"[]", whole[stop:]))
        if len(rest) <= sizes.UNCOUNTED:
            try:
                request = decoder.decode(rest)
            except UNDECODABLE:
                pass  # the pure way finds the place of the fault in the whole body
            else:
                if not isinstance(more, int):
                    return request, PackedCandles(values, more, _PLACES[form] or _places_of_rows(request))
                if getattr(request, "features", None) is not None:  # some requests have no such field, and ignore it
                    return request, np.frombuffer(values).reshape(more, -1)
    try:
        request = decoder.decode(body)
    except UNDECODABLE as error:
        if (found := _with_rows(body)) is None:
            refuse(error, decoder, body)
        rest, rows = found
        return decode(decoder, rest), rows
    return request, request.data


_PLACES: tuple[PathsOfCandles | None, ...] = (DATA, COLUMNS, None)


def _places_of_rows(request: WithCandles) -> PathsOfRows:
    return PathsOfRows(_names_decoder.decode(request.columns if isinstance(request.columns, msgspec.Raw) else b"[]"))


def _with_rows(body: bytes | msgspec.Raw) -> tuple[bytes, CandleRows] | None:
    """The rows of a body, and the body without them; null if it has none. Raises InvalidInput."""
    try:
        values = _body_decoder.decode(body)
    except UNDECODABLE:
        return None
    data, names = values.get("data"), values.get("columns")
    if data is None or names is None or not _ARRAY_OF_ARRAYS.match(memoryview(data)):
        return None
    rows = _rows(names, data)
    values["data"] = _NO_CANDLES
    return msgspec.json.encode(values), rows


def _rows(given: msgspec.Raw, data: msgspec.Raw) -> CandleRows:
    found = decode(_names_decoder, given, "columns")
    names = tuple(found)
    for i, name in enumerate(names):
        if name in _TYPES and name in names[:i]:
            raise InvalidInput.at(f"columns[{i}]", f"{quoted(name)} is there twice; name each once")
    if missing := [name for name in _PRICES if name not in names]:
        raise InvalidInput.at("columns", f"must name {', '.join(_PRICES)}; {', '.join(missing)} is missing")
    return CandleRows(names, decode(_rows_decoder(names), data, "data"))


@lru_cache(maxsize=64)
def _rows_decoder(names: tuple[str, ...]) -> msgspec.json.Decoder[list[tuple[Any, ...]]]:
    types = tuple(_TYPES.get(name, msgspec.Raw) for name in names)
    row: Any = GenericAlias(tuple, types)
    kind: Any = Annotated[GenericAlias(list, row), Meta(max_length=MAX_CANDLES)]
    return msgspec.json.Decoder(kind)


class Series(NamedTuple):
    """The candles of a request's `data`, checked and oldest first.

    order: the position of each in the request; null if the request has them in this order. opens: when each begins, in
    milliseconds since 1970; null if they have no timestamps. places: their paths.
    """

    candles: Candles
    order: Sequence[int] | None
    opens: Sequence[float] | None
    warnings: tuple[Warned, ...] = ()
    places: PathsOfCandles = DATA


def series(data: CandleData, timeframe: str, stamp: Stamp | None, now: float | None = None) -> Series:
    """Check and sort the candles of `data`. Raises InvalidInput.

    stamp: the instant of a candle that its timestamp gives. now: the wall clock in milliseconds since 1970, if the
    caller has read it already.
    """
    if isinstance(data, PackedCandles):
        return _of_packed(data, timeframe, stamp, now)
    columns, timestamps, places = _columns(data)
    count = len(columns[0])
    if not count:
        return Series(Candles(np.empty((len(_FIELDS), 0))), None, None, places=places)
    # Through a tuple of floats, which takes half the time of an array made of rows.
    packed = struct.pack(f"{len(_FIELDS) * count}d", *chain.from_iterable(columns))
    values = np.frombuffer(packed).reshape(len(_FIELDS), count)
    if places is DATA:
        check_bars(values)
        times = times_of(timestamps, timeframe, stamp)
    else:
        try:
            check_bars(values)
            times = times_of(timestamps, timeframe, stamp)
        except InvalidInput as error:
            raise moved(error, places.sent) from None
    if times is None:
        return Series(Candles(values), None, None, (NO_TIMESTAMPS,), places)
    warnings = times.warnings
    if warnings and places is not DATA:
        warnings = tuple(Warned(code, replaced(message, places.sent)) for code, message in warnings)
    if times.order is not None:
        values, places = values[:, times.order], places.sorted(times.order)
    warnings += unfinished(times.opens[-1], timeframe, time.time() * 1e3 if now is None else now)
    return Series(Candles(values, times.opens), times.order, times.opens, warnings, places)


def _of_packed(data: PackedCandles, timeframe: str, stamp: Stamp | None, now: float | None) -> Series:
    values = np.frombuffer(data.values).reshape(len(_FIELDS), -1)
    if data.times is None:
        return Series(Candles(values), None, None, (NO_TIMESTAMPS,), data.places)
    try:
        times = times_of_instants(data.times, timeframe, stamp)
    except InvalidInput as error:
        raise moved(error, data.places.sent) from None
    warnings = times.warnings + unfinished(times.opens[-1], timeframe, time.time() * 1e3 if now is None else now)
    return Series(Candles(values, times.opens), None, times.opens, warnings, data.places)


def _columns(
    data: list[Candle] | CandleColumns | CandleRows,
) -> tuple[Sequence[Sequence[float]], SentTimes, PathsOfCandles]:
    """The five fields, the timestamps, and the paths of candles in any form. Raises InvalidInput."""
    if isinstance(data, list):
        if not data:
            return ((),) * len(_FIELDS), (), DATA
        *fields, timestamps = zip(*map(astuple, data), strict=True)
        return fields, timestamps, DATA
    if isinstance(data, CandleColumns):
        count = len(data.open)
        volume = [0.0] * count if data.volume is UNSET else data.volume
        columns: list[Sequence[float]] = [data.open, data.high, data.low, data.close, volume]
        stamps = (None,) * count if data.timestamp is None else tuple(data.timestamp)
        for name, column in zip((*_FIELDS, "timestamp"), (*columns, stamps), strict=True):
            if len(column) != count:
                message = f"must have {_values(count)}, as open has, not {len(column):,}"
                raise InvalidInput.at(f"data.{name}", message)
        return columns, stamps, COLUMNS
    by_name: dict[str, tuple[Any, ...]] = dict(zip(data.names, zip(*data.rows, strict=True), strict=True))
    none = (0.0,) * len(data.rows)
    columns = [by_name.get(name, none) for name in _FIELDS]
    return columns, tuple(by_name.get("timestamp", (None,) * len(data.rows))), PathsOfRows(data.names)


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count:,} values"


def check_bars(values: Floats) -> None:
    """Raise InvalidInput unless low <= open, close <= high in each candle of (5, n). msgspec has checked the signs."""
    both, high, low = values[0:4:3], values[1], values[2]  # open and close
    wrong = (both < low) | (both > high)
    if not np.count_nonzero(wrong):  # quicker than `any`
        return
    i = int(np.argmax(wrong.any(axis=0)))
    bar = dict(zip(("open", "high", "low", "close"), values[:4, i].tolist(), strict=True))
    shown = {name: np.format_float_positional(value, trim="-") for name, value in bar.items()}
    highest = max(("close", "open", "low"), key=bar.__getitem__)
    if bar["high"] < bar[highest]:
        other = "low" if bar["high"] < bar["low"] else highest
        raise InvalidInput.at(f"data[{i}].high", f"must be at least {other} {shown[other]}, not {shown['high']}")
    lowest = min(("close", "open"), key=bar.__getitem__)
    raise InvalidInput.at(f"data[{i}].low", f"must be at most {lowest} {shown[lowest]}, not {shown['low']}")
