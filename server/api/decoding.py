"""From a body's bytes to what core takes: typed and validated, every fault with its place."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec.structs import astuple

from core.errors import InvalidInput
from core.features.candles import Candles, Floats
from core.features.timeframes import Timeframe
from core.inference.inputs import CandleWindows, GivenWindows, Rows, WindowSource
from core.inference.warnings import NO_TIMESTAMPS, Warned, unfinished
from core.serving.routing import Question
from server.api.places import DATA, FEATURES, PathsOfCandles, PathsOfWindows
from server.api.schemas.predictions import (
    DEFAULT_TIMEFRAME,
    MAX_USER_ID,
    BatchRequest,
    Candle,
    CompareRequest,
    Matrix,
    PredictRequest,
    Request,
    StageFeatures,
    Stamp,
)
from server.api.timestamps import times_of
from server.http.bodies import sizes
from server.http.bodies.json_decoding import UNDECODABLE, decode, refuse

_predict_decoder = msgspec.json.Decoder(PredictRequest)
_compare_decoder = msgspec.json.Decoder(CompareRequest)
_batch_decoder = msgspec.json.Decoder(BatchRequest)
_stage_features_decoder = msgspec.json.Decoder(StageFeatures)
_features_decoder = msgspec.json.Decoder(Matrix | StageFeatures)

_FIELDS = 5  # open, high, low, close, volume: those of a Candle but its timestamp


def prediction(body: bytes | msgspec.Raw, since: float, until: float = math.inf, now: float | None = None) -> Question:
    """Decode the body of /reversal/predict, or a batch's item, that came at `since` and is awaited `until`.

    now: the wall clock, in milliseconds since 1970, if it is known already. Raises MalformedJson or InvalidInput.
    """
    if memoryview(body).nbytes > sizes.UNCOUNTED:
        request = decode(_predict_decoder, body)
    else:  # nearly all
        try:
            request = _predict_decoder.decode(body)
        except UNDECODABLE as error:
            refuse(error, body)
    user = None if request.user_id is None and request.userId is None else _user(request)
    timeframe = timeframe_of(request.timeframe)
    if request.features is None:
        source: WindowSource = _candle_windows(request, timeframe, now)
    else:
        source = _given_windows(request.features, request, FEATURES)
    return Question(request.pair, timeframe, request.version, user, source, since, until)


def timeframe_of(given: Timeframe | None) -> Timeframe:
    """The timeframe of a request that gives this one, or none. What is behind the decoding always has one."""
    return given or DEFAULT_TIMEFRAME


class Comparison(NamedTuple):
    """A decoded body of /reversal/compare. `request` holds the input, of which each version takes what it is given."""

    pair: str
    timeframe: Timeframe
    request: CompareRequest


def comparison(body: bytes) -> Comparison:
    """Decode /reversal/compare's body. Raises MalformedJson or InvalidInput."""
    request = decode(_compare_decoder, body)
    _user(request)
    return Comparison(request.pair, timeframe_of(request.timeframe), request)


def features_by_version(request: CompareRequest) -> dict[str, msgspec.Raw] | None:
    """What `features` holds, where it names versions."""
    given = request.features
    return given if isinstance(given, dict) and "stage1" not in given else None


def compared_windows(wanted: Comparison, versions: Iterable[str]) -> dict[str, WindowSource | InvalidInput]:
    """Each version's source: one for all, or its own where `features` names versions. Raises InvalidInput."""
    request = wanted.request
    by_version = features_by_version(request)
    if by_version is None:
        return dict.fromkeys(versions, _shared_windows(wanted))
    return {version: _own_windows(by_version.get(version), request, f"features.{version}") for version in versions}


def _shared_windows(wanted: Comparison) -> WindowSource:
    request = wanted.request
    given = request.features
    if given is None:
        return _candle_windows(request, wanted.timeframe)
    if isinstance(given, list):
        return _given_windows(given, request, FEATURES)
    by_stage = decode(_stage_features_decoder, msgspec.json.encode(given), "features")
    return _given_windows(by_stage, request, FEATURES)


def _own_windows(raw: msgspec.Raw | None, request: CompareRequest, path: str) -> WindowSource | InvalidInput:
    if raw is None:
        return InvalidInput.at(path, "missing")
    return _given_windows(decode(_features_decoder, raw, path), request, PathsOfWindows(path))


def batch(body: bytes) -> list[msgspec.Raw]:
    """Decode a batch's body down to its items, which `prediction` takes."""
    return decode(_batch_decoder, body).items


def _given_windows(given: Matrix | StageFeatures, request: Request, places: PathsOfWindows) -> GivenWindows:
    if not isinstance(given, StageFeatures):
        return GivenWindows(given, scaled=request.features_scaled, places=places)
    by_stage: dict[str, Rows] = {"stage1": given.stage1}
    if given.stage2 is not None:
        by_stage["stage2"] = given.stage2
    return GivenWindows(by_stage, scaled=request.features_scaled, places=places)


def _candle_windows(request: Request, timeframe: Timeframe, now: float | None = None) -> CandleWindows:
    if request.data is None:
        raise InvalidInput.at("data", "missing: candles are needed where no features are given")
    found = series(request.data, timeframe, request.timestamps, now)
    places = DATA if found.order is None else PathsOfCandles(found.order)
    return CandleWindows(found.candles, found.opens[-1] if found.opens else None, found.warnings, places)


class Series(NamedTuple):
    """The candles of a request's `data`, checked and oldest first.

    order: where each stood in the request, null where that was their order. opens: when each begins, in
    milliseconds since 1970; null where they have no timestamps.
    """

    candles: Candles
    order: Sequence[int] | None
    opens: Sequence[float] | None
    warnings: tuple[Warned, ...] = ()


def series(rows: list[Candle], timeframe: str, stamp: Stamp | None, now: float | None = None) -> Series:
    """What `data` holds. Raises InvalidInput.

    stamp: which instant of a candle its timestamp is. now: as of `prediction`.
    """
    if not rows:
        return Series(Candles(np.empty((_FIELDS, 0))), None, None)
    # Column by column through tuples of floats: half of what an array made of rows takes.
    *columns, timestamps = zip(*map(astuple, rows), strict=True)
    count = len(rows)
    packed = struct.pack(f"{_FIELDS * count}d", *chain.from_iterable(columns))
    values = np.frombuffer(packed).reshape(_FIELDS, count)
    _check_bars(values)
    times = times_of(timestamps, timeframe, stamp)
    if times is None:
        return Series(Candles(values), None, None, (NO_TIMESTAMPS,))
    if times.order is not None:
        values = values[:, times.order]
    warnings = times.warnings + unfinished(times.opens[-1], timeframe, time.time() * 1e3 if now is None else now)
    return Series(Candles(values), times.order, times.opens, warnings)


def _check_bars(values: Floats) -> None:
    """Low <= open, close <= high, for each candle of (5, n). msgspec has checked the signs."""
    opened, high, low, close, _ = values
    wrong = (np.minimum(opened, close) < low) | (np.maximum(opened, close) > high)
    if not wrong.any():
        return
    i = int(np.argmax(wrong))
    opened, high, low, close = values[:4, i].tolist()
    if high < low:
        raise InvalidInput.at(f"data[{i}].high", f"{high} is below low {low}")
    if high < max(opened, close):
        raise InvalidInput.at(f"data[{i}].high", f"{high} is below open or close {max(opened, close)}")
    raise InvalidInput.at(f"data[{i}].low", f"{low} is above open or close {min(opened, close)}")


def _user(request: Request) -> str | None:
    """Both spellings may be sent, but not with different values: that would be two users."""
    named = (("user_id", request.user_id), ("userId", request.userId))
    given = {str(user): name for name, user in named if user not in (None, "")}
    if len(given) > 1:
        raise InvalidInput.at("userId", "differs from user_id")
    for user, name in given.items():
        if len(user) > MAX_USER_ID:  # of a number; a text's length has been checked
            raise InvalidInput.at(name, f"expected at most {MAX_USER_ID} digits")
        return user
    return None
