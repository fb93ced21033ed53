"""The table of endpoints, and who may call them."""

from __future__ import annotations

from functools import wraps

from aiohttp import web
from aiohttp.typedefs import Handler

from server.auth.access import Level
from server.http.app_keys import ACCESS, CALLER
from server.worker.handlers import batch, compare, health, metrics, models, predict
from server.worker.handlers.forward import forward


def _guarded(handler: Handler, level: Level) -> Handler:
    @wraps(handler)
    async def guarded(request: web.Request) -> web.StreamResponse:
        request[CALLER] = await request.app[ACCESS].check(request.headers, request.remote or "", level)
        return await handler(request)

    return guarded


def _api(handler: Handler) -> Handler:
    return _guarded(handler, Level.API)


def _admin(handler: Handler) -> Handler:
    return _guarded(handler, Level.ADMIN)


ROUTES = (
    web.get("/health", health.health),
    web.get("/livez", health.livez),
    web.get("/readyz", health.readyz),
    web.get("/metrics", _api(metrics.metrics)),
    web.get("/openapi.json", _api(forward)),
    *(web.post(path, _api(predict.predict)) for path in predict.ENDPOINTS),
    web.post("/reversal/predict/batch", _api(batch.predict_batch)),
    web.post("/reversal/compare", _api(compare.compare)),
    web.post("/reversal/compare_raw", _api(compare.compare)),
    web.get("/reversal/models", _api(models.list_models)),
    web.get("/reversal/models/{version}", _api(models.show_model)),
    web.post("/reversal/models/{version}/load", _admin(forward)),
    web.post("/reversal/models/{version}/unload", _admin(forward)),
    web.post("/reversal/models/{version}/switch", _admin(forward)),
    web.post("/reversal/experiments", _admin(forward)),
    web.get("/reversal/experiments", _api(forward)),
    web.post("/reversal/experiments/{id}/activate", _admin(forward)),
    web.post("/reversal/experiments/{id}/stop", _admin(forward)),
    web.post("/reversal/experiments/{id}/evaluate", _api(forward)),
    web.get("/reversal/experiments/{id}/metrics", _api(forward)),
    web.get("/reversal/experiments/{id}/report", _api(forward)),
    web.get("/reversal/experiments/{id}/export", _api(forward)),
    web.post("/reversal/outcomes", _api(forward)),
)
