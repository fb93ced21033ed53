"""Many predictions in one request, answered in slices, so that single predictions do not wait for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from time import perf_counter

import msgspec
import orjson
from aiohttp import web

from core.errors import ServiceError
from core.serving.routing import Question
from core.serving.snapshot import Snapshot
from server.api import answers, decoding
from server.api.schemas.predictions import MAX_BATCH
from server.http.app_keys import BATCH_ADMISSION, CLOCK, REFUSALS, SETTINGS
from server.http.bodies import json_items, sizes
from server.http.bodies.body import read_large
from server.http.clock import Moment
from server.http.deadline import deadline, late_in_queue
from server.http.envelope import Json, refusal, success
from server.http.errors import endpoint_of
from server.http.fairness import let_others_run
from server.http.request_log.request_ids import id_of
from server.tracing.requests import TRACE
from server.worker.app_keys import METRICS, PREDICTOR, REGISTRY
from server.worker.tracing.phases import add_batch

# A slice ends after this many items or, if they are large, this many bytes. It takes a third or half of a millisecond.
# Larger slices would cost less per item, but a single prediction waits until the current slice ends.
SLICE_ITEMS = 4
SLICE_BYTES = 16 * 1024
# An item that takes longer to decode holds numbers such as 1e308. Other requests run after each such item.
_SLOW_SECONDS = 2e-3

_ITEMS = json_items.Listed("items", MAX_BATCH, sizes.SINGLE, decoding.batch)


async def predict_batch(request: web.Request) -> web.Response:
    """POST /reversal/predict/batch. All items see the same versions; all are parsed before any is answered."""
    try:
        return await _predict_batch(request)
    except asyncio.CancelledError:
        request.app[METRICS].abandoned.inc()
        raise


async def _predict_batch(request: web.Request) -> web.Response:
    app = request.app
    admission = app[BATCH_ADMISSION]
    admission.check()
    until = deadline(request.headers, app[SETTINGS].request_timeout_ms)
    with ExitStack() as places:
        trace = request.get(TRACE)
        body = await read_large(request, until, places)
        read = perf_counter()
        places.enter_context(admission.held())  # not earlier: a slow sender must not occupy a place
        items = await json_items.items(body, _ITEMS)
        parsed = perf_counter()
        snapshot = app[REGISTRY].snapshot
        now = app[CLOCK].now()
        results: list[orjson.Fragment] = []
        for some in _slices(items):
            results += await _answer_slice(request, snapshot, some, now, until)
            await let_others_run()
        known = perf_counter()
        response = success({"results": results}, now)
        if trace is not None:
            trace.add("read", trace.began, read)
            add_batch(trace, read, parsed, known, len(items))
        await let_others_run()  # before aiohttp copies and writes the response
    return response


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


async def _answer_slice(
    request: web.Request, snapshot: Snapshot, items: Sequence[msgspec.Raw], now: Moment, until: float
) -> list[orjson.Fragment]:
    since = perf_counter()  # the time before this belongs to other items
    results: dict[int, Json] = {}
    questions: dict[int, Question] = {}
    for i, raw in enumerate(items):
        if perf_counter() > until:  # checked here, because decoding 1,024 slow items would take half a minute
            results[i] = _refusal(request, late_in_queue())
            continue
        try:
            questions[i] = decoding.prediction(raw, since, until, request_id=id_of(request))
        except ServiceError as error:
            results[i] = _refusal(request, error)
        if perf_counter() - since > _SLOW_SECONDS:
            await let_others_run()
    asked, predictor = list(questions.values()), request.app[PREDICTOR]
    found = predictor.predict(snapshot, asked)
    predictor.note(asked, found)
    for (i, question), result in zip(questions.items(), found, strict=True):
        if isinstance(result, ServiceError):
            results[i] = _refusal(request, result)
        else:
            results[i] = {"success": True, "data": answers.answered(question, result, now), "error": None}
    # Each slice encodes its own results: encoding a thousand of them at the end would take a millisecond.
    return [orjson.Fragment(orjson.dumps(results[i])) for i in range(len(items))]


def _refusal(request: web.Request, error: ServiceError) -> Json:
    request.app[REFUSALS].refused(error, endpoint_of(request))
    return refusal(error)
