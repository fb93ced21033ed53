"""From a body's bytes to what core takes: typed and validated, every fault with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, get_args

import msgspec
import numpy as np

from core.candles import Candles
from core.errors import InvalidInput
from core.windows import CandleWindows, GivenWindows, Rows, WindowSource
from server.errors import MalformedJson
from server.schemas import (
    BatchRequest,
    Candle,
    CompareRequest,
    Matrix,
    PredictRequest,
    Request,
    StageFeatures,
    Timeframe,
)
from server.timestamps import order_of_time

T = TypeVar("T")

_predict_decoder = msgspec.json.Decoder(PredictRequest)
_compare_decoder = msgspec.json.Decoder(CompareRequest)
_batch_decoder = msgspec.json.Decoder(BatchRequest)
_raw_decoder = msgspec.json.Decoder(msgspec.Raw)
_stage_features_decoder = msgspec.json.Decoder(StageFeatures)
_features_decoder = msgspec.json.Decoder(Matrix | StageFeatures)

_prices = attrgetter("open", "high", "low", "close", "volume")
_timestamp = attrgetter("timestamp")
_OPEN, _HIGH, _LOW, _CLOSE = range(4)

# msgspec ends a message with the place, and names a missing field in the sentence.
_PLACE = re.compile(r" - at `\$\.?(?P<path>.*)`\Z", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`\Z")
_BYTE = re.compile(r"JSON is malformed: (?P<reason>.*) \(byte (?P<position>\d+)\)\Z", re.DOTALL)
# What msgspec says of these is true but does not tell a person what to write.
_EXPECTED = {
    "pair": "expected two currencies of three capital letters, such as EUR/USD",
    "timeframe": f"expected one of {' '.join(get_args(Timeframe))}",
}


def prediction(body: bytes | msgspec.Raw) -> tuple[PredictRequest, WindowSource]:
    """Decode /reversal/predict's body, or a batch's item. Raises MalformedJson or InvalidInput."""
    request = _decode(_predict_decoder, body)
    _check_user(request)
    if request.features is None:
        return request, _candle_windows(request.data)
    return request, _given_windows(request.features, request, "features")


def comparison(body: bytes) -> CompareRequest:
    """Decode /reversal/compare's body. Raises MalformedJson or InvalidInput."""
    request = _decode(_compare_decoder, body)
    _check_user(request)
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
    by_stage = _decode(_stage_features_decoder, msgspec.json.encode(given), "features")
    return _given_windows(by_stage, request, "features")


def _own_windows(raw: msgspec.Raw | None, request: CompareRequest, path: str) -> WindowSource | InvalidInput:
    if raw is None:
        return InvalidInput.at(path, "missing")
    return _given_windows(_decode(_features_decoder, raw, path), request, path)


def batch(body: bytes) -> list[msgspec.Raw]:
    """Decode a batch's body down to its items, which `prediction` takes."""
    return _decode(_batch_decoder, body).items


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
    values = np.array(list(map(_prices, rows)), dtype=np.float64).reshape(len(rows), 5)
    _check_bars(values)
    order = order_of_time(list(map(_timestamp, rows)))
    if order is not None:
        values = values[order]
    return CandleWindows(Candles.from_rows(values), order)


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


def _check_user(request: Request) -> None:
    """Both spellings may be sent, but not with different values: that would be two users."""
    given = {str(user) for user in (request.user_id, request.userId) if user not in (None, "")}
    if len(given) > 1:
        raise InvalidInput.at("userId", "differs from user_id")


def _decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, prefix: str = "") -> T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        # The decoder stops at the first bad value and may not have seen that the rest is no JSON at all.
        _check_well_formed(body)
        raise _invalid(str(error), prefix) from None
    except (msgspec.DecodeError, RecursionError) as error:
        _refuse_malformed(error, body)


def _check_well_formed(body: bytes | msgspec.Raw) -> None:
    try:
        _raw_decoder.decode(body)  # walks all of it and builds nothing
    except (msgspec.DecodeError, RecursionError) as error:
        _refuse_malformed(error, body)


def _invalid(text: str, prefix: str) -> InvalidInput:
    place = _PLACE.search(text)
    path, message = ("", text) if place is None else (place["path"], text[: place.start()])
    missing = _MISSING.match(message)
    if missing is not None:
        path, message = f"{path}.{missing['field']}".lstrip("."), "missing"
    elif path in _EXPECTED:
        message = _EXPECTED[path]
    separator = "." if prefix and path and not path.startswith("[") else ""
    return InvalidInput.at(f"{prefix}{separator}{path}", message)


def _refuse_malformed(error: Exception, body: bytes | msgspec.Raw) -> NoReturn:
    if isinstance(error, RecursionError):
        raise MalformedJson("the body is nested too deeply") from None
    found = _BYTE.match(str(error))
    if found is None:
        raise MalformedJson(f"the body is not JSON: it ends too early (byte {len(bytes(body))})") from None
    # msgspec counts these from 1, all others from 0.
    position = int(found["position"]) - (found["reason"] == "trailing characters")
    raise MalformedJson(f"the body is not JSON: {found['reason']} (byte {position})") from None
