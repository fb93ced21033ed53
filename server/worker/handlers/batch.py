"""Many predictions in one request, answered in slices, so that single predictions do not wait for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
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
from server.worker.app_keys import BATCHER, METRICS, PREDICTOR, REGISTRY
from server.worker.pace import SliceSize, next_slice
from server.worker.tracing.phases import add_batch

# The longest time in which items are decoded without a pause for other requests.
_PAUSE_SECONDS = 300e-6

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
        results = await _answered(request, items, snapshot, now, until)
        known = perf_counter()
        response = success({"results": orjson.Fragment(b"[" + b",".join(results) + b"]")}, now)
        if trace is not None:
            trace.add("read", trace.began, read)
            add_batch(trace, read, parsed, known, len(items))
        await let_others_run()  # before aiohttp copies and writes the response
    return response


async def _answered(
    request: web.Request, items: Sequence[msgspec.Raw], snapshot: Snapshot, now: Moment, until: float
) -> list[bytes]:
    """The results of all items, in order, as JSON without the brackets of a list: one text for each slice."""
    batcher = request.app[BATCHER]
    found = []
    end = 0
    while end < len(items):
        some = _slice(items, end, next_slice(batcher))
        end += len(some)
        questions = await _questions(request, some, until)
        found.append(_results(request, snapshot, questions, now))
        await let_others_run()
    return found


def _slice(items: Sequence[msgspec.Raw], begin: int, most: SliceSize) -> Sequence[msgspec.Raw]:
    size = 0
    for end, item in enumerate(items[begin : begin + most.items], begin + 1):
        size += len(memoryview(item))
        if size >= most.bytes:
            return items[begin:end]
    return items[begin : begin + most.items]


async def _questions(request: web.Request, items: Sequence[msgspec.Raw], until: float) -> list[Question | ServiceError]:
    """Decode items. The error of a bad one takes its place."""
    since = began = perf_counter()  # the time before this belongs to other items
    request_id = id_of(request)
    found: list[Question | ServiceError] = []
    for raw in items:
        now = perf_counter()
        if now - began > _PAUSE_SECONDS:
            await let_others_run()
            began = now = perf_counter()
        if now > until:  # checked here, because decoding 1,024 slow items would take half a minute
            found.append(late_in_queue())
            continue
        try:
            found.append(decoding.prediction(raw, since, until, request_id=request_id))
        except ServiceError as error:
            found.append(error)
    if perf_counter() - began > _PAUSE_SECONDS:
        await let_others_run()
    return found


def _results(request: web.Request, snapshot: Snapshot, asked: Sequence[Question | ServiceError], now: Moment) -> bytes:
    """The results of a slice."""
    questions = [one for one in asked if isinstance(one, Question)]
    predicted = request.app[PREDICTOR].predict(snapshot, questions)
    request.app[PREDICTOR].note(questions, predicted)
    found = iter(predicted)
    results: list[Json] = []
    for one in asked:
        if isinstance(one, ServiceError):
            results.append(_refusal(request, one))
        elif isinstance(result := next(found), ServiceError):
            results.append(_refusal(request, result))
        else:
            results.append({"success": True, "data": answers.answered(one, result, now), "error": None})
    # Each slice encodes its own results: encoding a thousand of them at the end would take a millisecond.
    return orjson.dumps(results)[1:-1]


def _refusal(request: web.Request, error: ServiceError) -> Json:
    request.app[REFUSALS].refused(error, endpoint_of(request))
    return refusal(error)
