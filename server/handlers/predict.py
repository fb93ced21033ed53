"""Predictions: one, the legacy one, and many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import msgspec
from aiohttp import web

from core.detector import Detector, Prediction
from core.errors import ServiceError
from core.registry import Serving
from core.windows import WindowSource
from server import answers, decoding
from server.answers import Json
from server.clock import Moment
from server.handlers.body import read_json
from server.keys import CLOCK, REGISTRY
from server.schemas import PredictRequest

# A batch runs in slices with a turn of the event loop between them, so that single predictions beside it do not wait
# for all of it. A slice ends with this many items or, where they are large, this many bytes.
SLICE_ITEMS = 32
SLICE_BYTES = 256 * 1024


async def predict(request: web.Request) -> web.Response:
    """POST /reversal/predict and /reversal/predict_raw."""
    wanted, answer = await _predict(request)
    now = request.app[CLOCK].now()
    return answers.success(answers.prediction(wanted, answer, now), now)


async def legacy_predict(request: web.Request) -> web.Response:
    """POST /predict, to which the backend falls back."""
    _, answer = await _predict(request)
    now = request.app[CLOCK].now()
    return answers.success(answers.legacy_prediction(answer, now), now)


async def _predict(request: web.Request) -> tuple[PredictRequest, Prediction]:
    body = await read_json(request)
    wanted, source = decoding.prediction(body)
    detector = request.app[REGISTRY].serving.choose(wanted.version)
    (outcome,) = detector.predict([source])
    if isinstance(outcome, ServiceError):
        raise outcome
    return wanted, outcome


async def predict_batch(request: web.Request) -> web.Response:
    """POST /reversal/predict/batch. All items see the same versions."""
    items = decoding.batch(await read_json(request))
    serving = request.app[REGISTRY].serving
    now = request.app[CLOCK].now()
    results: list[Json] = []
    for some in _slices(items):
        results += _answer_slice(serving, some, now)
        await asyncio.sleep(0)
    return answers.success({"results": results}, now)


def _slices(items: Sequence[msgspec.Raw]) -> Iterator[list[msgspec.Raw]]:
    some: list[msgspec.Raw] = []
    size = 0
    for item in items:
        some.append(item)
        size += len(memoryview(item))
        if len(some) == SLICE_ITEMS or size >= SLICE_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


_Item: TypeAlias = tuple[int, PredictRequest, WindowSource]


def _answer_slice(serving: Serving, items: Sequence[msgspec.Raw], now: Moment) -> list[Json]:
    results: list[Json] = [{} for _ in items]
    by_detector: dict[Detector, list[_Item]] = {}
    for i, raw in enumerate(items):
        try:
            wanted, source = decoding.prediction(raw)
            by_detector.setdefault(serving.choose(wanted.version), []).append((i, wanted, source))
        except ServiceError as error:
            results[i] = answers.refusal(error)
    for detector, group in by_detector.items():
        outcomes = detector.predict([source for _, _, source in group])
        for (i, wanted, _), outcome in zip(group, outcomes, strict=True):
            results[i] = _result(wanted, outcome, now)
    return results


def _result(wanted: PredictRequest, outcome: Prediction | ServiceError, now: Moment) -> Json:
    if isinstance(outcome, ServiceError):
        return answers.refusal(outcome)
    return {"success": True, "data": answers.prediction(wanted, outcome, now), "error": None}
