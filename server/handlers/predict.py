"""Predictions: one, the legacy one, and many at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

import msgspec
from aiohttp import web

from core.errors import ServiceError
from core.routing import Question
from core.serving import Serving
from server import answers, decoding
from server.answers import Json
from server.clock import Moment
from server.handlers.body import read_json
from server.keys import CLOCK, METRICS, PREDICTOR, REGISTRY
from server.metrics import Metrics
from server.predictor import Answered, Predictor

# A batch runs in slices with a turn of the event loop between them, so that single predictions beside it do not wait
# for all of it. A slice ends with this many items or, where they are large, this many bytes.
SLICE_ITEMS = 32
SLICE_BYTES = 256 * 1024


async def predict(request: web.Request) -> web.Response:
    """POST /reversal/predict and /reversal/predict_raw."""
    question, answer = await _predict(request)
    now = request.app[CLOCK].now()
    return answers.success(answers.answered(question, answer, now), now)


async def legacy_predict(request: web.Request) -> web.Response:
    """POST /predict, to which the backend falls back."""
    _, answer = await _predict(request)
    now = request.app[CLOCK].now()
    return answers.success(answers.legacy_answered(answer, now), now)


async def _predict(request: web.Request) -> tuple[Question, Answered]:
    app = request.app
    metrics = app[METRICS]
    try:
        body = await read_json(request)
        since = time.perf_counter()  # a client that sends slowly makes no version slow
        question = decoding.prediction(body)
        (result,) = app[PREDICTOR].predict(app[REGISTRY].serving, [question], since)
        if isinstance(result, ServiceError):
            raise result
    except ServiceError as error:
        metrics.errors[(error.code,)].inc()
        raise
    metrics.seconds.observe(time.perf_counter() - since)
    return question, result


async def predict_batch(request: web.Request) -> web.Response:
    """POST /reversal/predict/batch. All items see the same versions."""
    app = request.app
    items = decoding.batch(await read_json(request))
    serving = app[REGISTRY].serving
    now = app[CLOCK].now()
    results: list[Json] = []
    for some in _slices(items):
        results += _answer_slice(app[PREDICTOR], app[METRICS], serving, some, now)
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


def _answer_slice(
    predictor: Predictor, metrics: Metrics, serving: Serving, items: Sequence[msgspec.Raw], now: Moment
) -> list[Json]:
    since = time.perf_counter()  # what came before is the work of other items
    results: dict[int, Json] = {}
    questions: dict[int, Question] = {}
    for i, raw in enumerate(items):
        try:
            questions[i] = decoding.prediction(raw)
        except ServiceError as error:
            results[i] = _refusal(error, metrics)
    found = predictor.predict(serving, list(questions.values()), since)
    for (i, question), result in zip(questions.items(), found, strict=True):
        if isinstance(result, ServiceError):
            results[i] = _refusal(result, metrics)
        else:
            results[i] = {"success": True, "data": answers.answered(question, result, now), "error": None}
    return [results[i] for i in range(len(items))]


def _refusal(error: ServiceError, metrics: Metrics) -> Json:
    metrics.errors[(error.code,)].inc()
    return answers.refusal(error)
