"""Single predictions, and the legacy endpoint to which the backend falls back."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from time import perf_counter

from aiohttp import web

from core.errors import ServiceError
from server.api import answers, decoding
from server.api.endpoints import ENDPOINTS
from server.http.app_keys import ADMISSION, CLOCK, SETTINGS
from server.http.bodies.body import read_json
from server.http.deadline import deadline
from server.http.request_log.request_ids import id_of
from server.tracing.requests import TRACE
from server.worker.app_keys import BATCHER, METRICS
from server.worker.timings import Timings
from server.worker.tracing.phases import add_prediction

# Shapes of answers: by their name in the table of endpoints, and by the path of each endpoint that `predict` answers.
_SHAPES: dict[str | None, answers.Shape] = {"Prediction": answers.answered, "LegacyPrediction": answers.legacy_answered}
SHAPES = {each.path: _SHAPES[each.answer] for each in ENDPOINTS if each.handler == "predict.predict"}


async def predict(request: web.Request) -> web.Response:
    """POST to one of SHAPES. server.worker.fast_path answers most of these requests instead."""
    app = request.app
    admission = app[ADMISSION]
    try:
        admission.check()
        until = deadline(request.headers, app[SETTINGS].request_timeout_ms)
        with ExitStack() as places:
            text = await read_json(request, until, places)
            places.enter_context(admission.held())  # not earlier: a slow sender must not occupy a place
            came = perf_counter()  # not earlier: a slow sender must not make the version look slow
            question = decoding.prediction(text, came, until, request_id=id_of(request))
            parsed = perf_counter()
            result = await app[BATCHER].ask(question)
            known = perf_counter()
            if isinstance(result, ServiceError):
                raise result
            body = answers.encoded(SHAPES[request.path], question, result, app[CLOCK].now())
            timing = app[METRICS].timings.add(Timings.of(came, parsed, known, result.prediction.spent))
            if (trace := request.get(TRACE)) is not None:
                trace.add("read", trace.began, came)
                add_prediction(trace, came, parsed, result.prediction)
                trace.add("encode", known, perf_counter())
    except asyncio.CancelledError:
        app[METRICS].abandoned.inc()
        raise
    return web.Response(body=body, headers={"Content-Type": "application/json", "Server-Timing": timing})
