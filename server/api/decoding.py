"""Request bodies into the types of core: typed and validated, every fault with its place."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from core.bundles.windows import MOST
from core.errors import InvalidInput, quoted
from core.features.timeframes import Timeframe
from core.inference.explaining import BACKGROUND
from core.inference.inputs import CandleWindows, GivenWindows, PackedRows, Rows, WindowSource
from core.serving.routing import Question
from server.api import candle_forms
from server.api.candle_forms import CandleData
from server.api.places import FEATURES, PathsOfWindows
from server.api.schemas.predictions import (
    DEFAULT_TIMEFRAME,
    MAX_USER_ID,
    BatchRequest,
    CompareRequest,
    ExplainRequest,
    Matrix,
    PredictRequest,
    Request,
    StageFeatures,
)
from server.api.timestamps import instant
from server.http.bodies import seen
from server.http.bodies.json_decoding import decode

_predict_decoder = msgspec.json.Decoder(PredictRequest)
_explain_decoder = msgspec.json.Decoder(ExplainRequest)
_compare_decoder = msgspec.json.Decoder(CompareRequest)
_batch_decoder = msgspec.json.Decoder(BatchRequest)
_stage_features_decoder = msgspec.json.Decoder(StageFeatures)
_features_decoder = msgspec.json.Decoder(Matrix | StageFeatures)

P = TypeVar("P", bound=PredictRequest)

_EXPECTED_DATA = "data (an array of candles) or features"


def prediction(
    body: bytes | msgspec.Raw, since: float, until: float = math.inf, now: float | None = None, request_id: str = ""
) -> Question:
    """Decode the body of /reversal/predict, or an item of a batch. Raises MalformedJson or InvalidInput.

    since, until: when the body arrived, and the deadline of its answer. now: the wall clock in milliseconds since 1970,
    if the caller has read it already. request_id: for the log.
    """
    return _question(candle_forms.read(_predict_decoder, body), body, (since, until, request_id), now)


def _question(
    found: candle_forms.Read[P],
    body: bytes | msgspec.Raw,
    common: tuple[float, float, str],
    now: float | None = None,
) -> Question:
    """The question of a decoded body. common: since, until and request_id of `prediction`."""
    request, data, window = found
    user = None if request.user_id is None and request.userId is None else user_of(request)
    timeframe = timeframe_of(request.timeframe)
    if request.features is not None:
        source: WindowSource = _given_windows(window or request.features, request, FEATURES)
    elif data is not None:
        source = _candle_windows(request, data, timeframe, now)
    else:
        raise _without_data(body)
    return Question(request.pair, timeframe, request.version, user, source, *common)


def explanation(body: bytes, query: str | None, since: float, until: float, request_id: str) -> tuple[Question, int]:
    """Decode the body of /reversal/explain: what to explain, and the number of reference windows.

    query: that number in the URL, if it is there. Raises MalformedJson or InvalidInput.
    """
    found = candle_forms.read(_explain_decoder, body)
    background = found.request.background
    if query is not None:
        # The length is checked first, because Python refuses to parse thousands of digits.
        is_number = query.isascii() and query.isdecimal() and len(query) <= len(str(MOST))
        if not (is_number and 1 <= int(query) <= MOST):
            raise InvalidInput.at(BACKGROUND, f"must be an integer from 1 to {MOST}, not {quoted(query)}")
        if background not in {None, int(query)}:
            raise InvalidInput.at(BACKGROUND, f"must be the same as in the URL, {int(query)}, or be left out")
        background = int(query)
    return _question(found, body, (since, until, request_id)), background or 1


def timeframe_of(given: Timeframe | None) -> Timeframe:
    """The timeframe of a request, or the default one."""
    return given or DEFAULT_TIMEFRAME


def _without_data(body: bytes | msgspec.Raw) -> InvalidInput:
    """The error for a request that has neither candles nor features."""
    keys = seen.keys_of(bytes(body)) or []
    if "data" in keys:
        return InvalidInput.at("data", "must be an array of candles, not null, if there are no features")
    return InvalidInput.at("data", seen.missing("data", keys, PredictRequest.__struct_fields__, _EXPECTED_DATA))


class Comparison(NamedTuple):
    """A decoded body of /reversal/compare. `request` holds the input of all versions, except `data` and `window`."""

    pair: str
    timeframe: Timeframe
    request: CompareRequest
    data: CandleData | None
    window: PackedRows | None


def comparison(body: bytes) -> Comparison:
    """Decode the body of /reversal/compare. Raises MalformedJson or InvalidInput."""
    request, data, window = candle_forms.read(_compare_decoder, body)
    if request.features is None and data is None:
        raise _without_data(body)
    user_of(request)
    return Comparison(request.pair, timeframe_of(request.timeframe), request, data, window)


def features_by_version(request: CompareRequest) -> dict[str, msgspec.Raw] | None:
    """The values of `features` by version; null if the request has one value for all."""
    given = request.features
    return given if isinstance(given, dict) and "stage1" not in given else None


def compared_windows(wanted: Comparison, versions: Iterable[str]) -> dict[str, WindowSource | InvalidInput]:
    """Each version's source: a common one, or its own if `features` names versions. Raises InvalidInput."""
    request = wanted.request
    by_version = features_by_version(request)
    if by_version is None:
        return dict.fromkeys(versions, _shared_windows(wanted))
    return {version: _own_windows(by_version, version, request) for version in versions}


def _shared_windows(wanted: Comparison) -> WindowSource:
    request = wanted.request
    given = request.features
    if given is None:
        return _candle_windows(request, wanted.data or [], wanted.timeframe)
    if isinstance(given, list):
        return _given_windows(wanted.window or given, request, FEATURES)
    by_stage = decode(_stage_features_decoder, msgspec.json.encode(given), "features")
    return _given_windows(by_stage, request, FEATURES)


def _own_windows(
    by_version: dict[str, msgspec.Raw], version: str, request: CompareRequest
) -> WindowSource | InvalidInput:
    path = f"features.{version}"
    raw = by_version.get(version)
    if raw is None:
        return InvalidInput.at(path, f"missing; found {seen.listed_keys(list(by_version))}, expected {version}")
    return _given_windows(decode(_features_decoder, raw, path), request, PathsOfWindows(path))


def batch(body: bytes) -> list[msgspec.Raw]:
    """Decode the body of a batch, but not its items: `prediction` decodes each of them."""
    return decode(_batch_decoder, body).items


def _given_windows(
    given: Matrix | PackedRows | StageFeatures, request: Request, places: PathsOfWindows
) -> GivenWindows:
    opens = None if request.candle_time is None else instant(request.candle_time, "candle_time")
    if not isinstance(given, StageFeatures):
        return GivenWindows(given, scaled=request.features_scaled, places=places, opens=opens)
    by_stage: dict[str, Rows] = {"stage1": given.stage1}
    if given.stage2 is not None:
        by_stage["stage2"] = given.stage2
    return GivenWindows(by_stage, scaled=request.features_scaled, places=places, opens=opens)


def _candle_windows(
    request: Request, data: CandleData, timeframe: Timeframe, now: float | None = None
) -> CandleWindows:
    if request.candle_time is not None:
        raise InvalidInput.at("candle_time", "is only for features; candles have a timestamp each")
    found = candle_forms.series(data, timeframe, request.timestamps, now)
    return CandleWindows(found.candles, found.warnings, found.places)


class WithUser(Protocol):
    """A request that can name a user in either field."""

    user_id: str | int | None
    userId: str | int | None  # noqa: N815 - as in requests


def user_of(request: WithUser, within: str = "") -> str | None:
    """The user of a request. Raises InvalidInput if `user_id` and `userId` name different users.

    within: the path of the object that has these fields, with a point at its end; empty for the body.
    """
    if request.userId is None and isinstance(
        request.user_id, str
    ):  # the usual case; the decoder has checked its length
        return request.user_id or None
    named = (("user_id", request.user_id), ("userId", request.userId))
    given = {str(user): name for name, user in named if user not in (None, "")}
    if len(given) > 1:
        message = f"must be the same as user_id {quoted(str(request.user_id))}, or be left out"
        raise InvalidInput.at(f"{within}userId", message)
    for user, name in given.items():
        if len(user) > MAX_USER_ID:  # only a number: the decoder has checked the length of a string
            message = f"must have at most {MAX_USER_ID} digits, has {len(user.lstrip('-')):,}"
            raise InvalidInput.at(f"{within}{name}", message)
        return user
    return None
