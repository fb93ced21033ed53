"""From a body's bytes to what core takes: typed and validated, every fault with its place."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np

from core.candles import Candles
from core.errors import InvalidInput
from core.routing import Question
from core.windows import CandleWindows, GivenWindows, Rows, WindowSource
from server.json_decoding import decode
from server.schemas import (
    DEFAULT_TIMEFRAME,
    BatchRequest,
    Candle,
    CompareRequest,
    Matrix,
    PredictRequest,
    Request,
    StageFeatures,
)
from server.timestamps import milliseconds, order_of_time

_predict_decoder = msgspec.json.Decoder(PredictRequest)
_compare_decoder = msgspec.json.Decoder(CompareRequest)
_batch_decoder = msgspec.json.Decoder(BatchRequest)
_stage_features_decoder = msgspec.json.Decoder(StageFeatures)
_features_decoder = msgspec.json.Decoder(Matrix | StageFeatures)

_prices = attrgetter("open", "high", "low", "close", "volume")
_timestamp = attrgetter("timestamp")
_OPEN, _HIGH, _LOW, _CLOSE = range(4)


def prediction(body: bytes | msgspec.Raw) -> Question:
    """Decode /reversal/predict's body, or a batch's item. Raises MalformedJson or InvalidInput."""
    request = decode(_predict_decoder, body)
    user = _user(request)
    if request.features is None:
        source: WindowSource = _candle_windows(request.data)
    else:
        source = _given_windows(request.features, request, "features")
    return Question(request.pair, request.timeframe or DEFAULT_TIMEFRAME, request.version, user, source)


def comparison(body: bytes) -> CompareRequest:
    """Decode /reversal/compare's body. Raises MalformedJson or InvalidInput."""
    request = decode(_compare_decoder, body)
    _user(request)
    return request


def features_by_version(request: CompareRequest) -> dict[str, msgspec.Raw] | None:
    """What `features` holds, where it names versions."""
    given = request.features
    return given if isinstance(given, dict) and "stage1" not in given else None


def compared_windows(request: CompareRequest, versions: Iterable[str]) -> dict[str, WindowSource | InvalidInput]:
    """Each version's source: one for all, or its own where `features` names versions. Raises InvalidInput."""
    by_version = features_by_version(request)
    if by_version is None:
        return dict.fromkeys(versions, _shared_windows(request))
    return {version: _own_windows(by_version.get(version), request, f"features.{version}") for version in versions}


def _shared_windows(request: CompareRequest) -> WindowSource:
    given = request.features
    if given is None:
        return _candle_windows(request.data)
    if isinstance(given, list):
        return _given_windows(given, request, "features")
    by_stage = decode(_stage_features_decoder, msgspec.json.encode(given), "features")
    return _given_windows(by_stage, request, "features")


def _own_windows(raw: msgspec.Raw | None, request: CompareRequest, path: str) -> WindowSource | InvalidInput:
    if raw is None:
        return InvalidInput.at(path, "missing")
    return _given_windows(decode(_features_decoder, raw, path), request, path)


def batch(body: bytes) -> list[msgspec.Raw]:
    """Decode a batch's body down to its items, which `prediction` takes."""
    return decode(_batch_decoder, body).items


def _given_windows(given: Matrix | StageFeatures, request: Request, path: str) -> GivenWindows:
    if not isinstance(given, StageFeatures):
        return GivenWindows(given, scaled=request.features_scaled, path=path)
    by_stage: dict[str, Rows] = {"stage1": given.stage1}
    if given.stage2 is not None:
        by_stage["stage2"] = given.stage2
    return GivenWindows(by_stage, scaled=request.features_scaled, path=path)


def _candle_windows(rows: list[Candle] | None) -> CandleWindows:
    if rows is None:
        raise InvalidInput.at("data", "missing: candles are needed where no features are given")
    candles, order = series(rows)
    last = None if not rows else rows[-1 if order is None else order[-1]].timestamp
    return CandleWindows(candles, order, None if last is None else milliseconds(last, len(rows) - 1))


def series(rows: list[Candle]) -> tuple[Candles, list[int] | None]:
    """The candles of `data`, checked and oldest first, and where each stood where that was not their order.

    Raises InvalidInput.
    """
    values = np.array(list(map(_prices, rows)), dtype=np.float64).reshape(len(rows), 5)
    _check_bars(values)
    order = order_of_time(list(map(_timestamp, rows)))
    if order is not None:
        values = values[order]
    return Candles.from_rows(values), order


def _check_bars(values: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    """Low <= open, close <= high, for each row of (n, 5). msgspec has checked the signs."""
    low, high = values[:, _LOW], values[:, _HIGH]
    inside = values[:, (_OPEN, _CLOSE)]
    good = (inside.min(axis=1) >= low) & (inside.max(axis=1) <= high)
    if good.all():
        return
    i = int(np.argmin(good))
    row = values[i].tolist()
    body_high, body_low = max(row[_OPEN], row[_CLOSE]), min(row[_OPEN], row[_CLOSE])
    if row[_HIGH] < row[_LOW]:
        raise InvalidInput.at(f"data[{i}].high", f"{row[_HIGH]} is below low {row[_LOW]}")
    if row[_HIGH] < body_high:
        raise InvalidInput.at(f"data[{i}].high", f"{row[_HIGH]} is below open or close {body_high}")
    raise InvalidInput.at(f"data[{i}].low", f"{row[_LOW]} is above open or close {body_low}")


def _user(request: Request) -> str | None:
    """Both spellings may be sent, but not with different values: that would be two users."""
    given = {str(user) for user in (request.user_id, request.userId) if user not in (None, "")}
    if len(given) > 1:
        raise InvalidInput.at("userId", "differs from user_id")
    return given.pop() if given else None
