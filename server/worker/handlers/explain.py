"""A prediction with its explanation: how much each feature moved the probabilities."""

from __future__ import annotations

from contextlib import ExitStack
from time import perf_counter

from aiohttp import web

from core.errors import ServiceError
from core.inference.explaining import BACKGROUND
from core.serving.routing import route
from server.api import answers, decoding
from server.http.app_keys import CLOCK, SETTINGS
from server.http.bodies.body import read_json
from server.http.deadline import deadline
from server.http.envelope import success
from server.http.request_log.request_ids import id_of
from server.worker.app_keys import EXPLAINER, REGISTRY


async def explain(request: web.Request) -> web.Response:
    """POST /reversal/explain.

    The version is chosen as for a prediction, but no other one takes its place. No experiment and no circuit breaker
    counts an explanation, because it is no prediction for a user.
    """
    app = request.app
    explainer = app[EXPLAINER]
    explainer.admission.check()
    until = deadline(request.headers, app[SETTINGS].request_timeout_ms)
    with ExitStack() as places:
        text = await read_json(request, until, places)
        places.enter_context(explainer.admission.held())
        query = request.query.get(BACKGROUND)
        question, background = decoding.explanation(text, query, perf_counter(), until, id_of(request))
        snapshot = app[REGISTRY].snapshot
        chosen = route(snapshot, question.version, question.user, question.source.opens, question.timeframe)
        detector = snapshot.choose(chosen.version, "version" if chosen.named else None)
        (prediction,) = detector.predict([question.source])
        if isinstance(prediction, ServiceError):
            raise prediction
        found = await explainer.explain(detector, question.source, background, until)
        now = app[CLOCK].now()
        return success(answers.explained(question, prediction, found, now), now)
