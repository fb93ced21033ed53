"""Predictions: one, and the legacy one."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import orjson
from aiohttp import web

from core.errors import ServiceError
from core.routing import Question
from server import answers, decoding
from server.answers import Json
from server.clock import Moment
from server.handlers.body import read_json
from server.keys import BATCHER, CLOCK, METRICS
from server.lean_response import respond
from server.phases import Phases
from server.predictor import Answered


async def predict(request: web.Request) -> web.StreamResponse:
    """POST /reversal/predict and /reversal/predict_raw."""
    return await _predict(request, answers.answered)


async def legacy_predict(request: web.Request) -> web.StreamResponse:
    """POST /predict, to which the backend falls back."""
    return await _predict(request, answers.legacy_answered)


async def _predict(request: web.Request, data: Callable[[Question, Answered, Moment], Json]) -> web.StreamResponse:
    app = request.app
    metrics = app[METRICS]
    try:
        body = await read_json(request)
        came = perf_counter()  # a client that sends slowly makes no version slow
        question = decoding.prediction(body, came)
        parsed = perf_counter()
        result = await app[BATCHER].ask(question)
        if isinstance(result, ServiceError):
            raise result
    except ServiceError as error:
        metrics.errors[(error.code,)].inc()
        raise
    known = perf_counter()
    now = app[CLOCK].now()
    encoded = orjson.dumps(answers.envelope(data(question, result, now), now))
    spent = result.prediction.spent
    phases = Phases(parsed - came, known - parsed - sum(spent), *spent, perf_counter() - known)
    metrics.phases.add(phases)
    return respond(request, encoded, now, phases.server_timing())
