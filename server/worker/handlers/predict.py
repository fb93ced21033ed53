"""Predictions: one, and the legacy one to which the backend falls back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter
from typing import NamedTuple, TypeAlias

import orjson
from aiohttp import web

from core.errors import ServiceError
from core.serving.routing import Answered, Question, Result
from server.api import answers, decoding
from server.api.endpoints import ENDPOINTS
from server.http.app_keys import ADMISSION, CLOCK, SETTINGS
from server.http.bodies.body import read_json
from server.http.clock import Moment
from server.http.deadline import deadline
from server.http.envelope import Json, envelope
from server.worker.app_keys import BATCHER, METRICS
from server.worker.timings import Timings

# Makes an answer's data.
Shape: TypeAlias = Callable[[Question, Answered, Moment], Json]

# By the name of the answer, in the table of endpoints; and by the path of each endpoint that `predict` answers.
_SHAPES: dict[str | None, Shape] = {"Prediction": answers.answered, "LegacyPrediction": answers.legacy_answered}
SHAPES = {each.path: _SHAPES[each.answer] for each in ENDPOINTS if each.handler == "predict.predict"}


class Inquiry(NamedTuple):
    """A request that is decoded. `parsed`: when, of time.perf_counter."""

    question: Question
    shape: Shape
    parsed: float


async def predict(request: web.Request) -> web.Response:
    """POST to one of SHAPES; server.worker.fast_path answers most of them instead."""
    app = request.app
    admission = app[ADMISSION]
    try:
        admission.check()
        until = deadline(request.headers, app[SETTINGS].request_timeout_ms)
        with ExitStack() as places:
            text = await read_json(request, until, places)
            places.enter_context(admission.held())  # not before: who sends slowly must not take the place of others
            inquiry = inquire(text, SHAPES[request.path], until)
            body, _, timing = answer(app, inquiry, await app[BATCHER].ask(inquiry.question))
    except asyncio.CancelledError:
        app[METRICS].abandoned.inc()
        raise
    return web.Response(body=body, headers={"Content-Type": "application/json", "Server-Timing": timing})


def inquire(body: bytes, shape: Shape, until: float) -> Inquiry:
    """Decode a body that has come as a whole. Raises MalformedJson or InvalidInput."""
    came = perf_counter()  # a client that sends slowly makes no version slow
    question = decoding.prediction(body, came, until)
    return Inquiry(question, shape, perf_counter())


def answer(app: web.Application, inquiry: Inquiry, result: Result) -> tuple[bytes, Moment, str]:
    """The answer's body, its time and its Server-Timing. Raises the result where that is an error."""
    known = perf_counter()
    if isinstance(result, ServiceError):
        raise result
    question, shape, parsed = inquiry
    now = app[CLOCK].now()
    encoded = orjson.dumps(envelope(shape(question, result, now), now))
    spent = result.prediction.spent
    timings = Timings(parsed - question.since, known - parsed - sum(spent), *spent, perf_counter() - known)
    app[METRICS].timings.add(timings)
    return encoded, now, timings.server_timing()
