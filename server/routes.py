"""The table of endpoints."""

from __future__ import annotations

from aiohttp import web

from server.handlers import batch, compare, health, metrics, models, predict
from server.handlers.forward import forward

ROUTES = (
    web.get("/health", health.health),
    web.get("/livez", health.livez),
    web.get("/readyz", health.readyz),
    web.get("/metrics", metrics.metrics),
    *(web.post(path, predict.predict) for path in predict.ENDPOINTS),
    web.post("/reversal/predict/batch", batch.predict_batch),
    web.post("/reversal/compare", compare.compare),
    web.post("/reversal/compare_raw", compare.compare),
    web.get("/reversal/models", models.list_models),
    web.get("/reversal/models/{version}", models.show_model),
    *(
        web.route(method, path, forward)
        for method, path in (
            ("POST", "/reversal/models/{version}/load"),
            ("POST", "/reversal/models/{version}/unload"),
            ("POST", "/reversal/models/{version}/switch"),
            ("POST", "/reversal/experiments"),
            ("GET", "/reversal/experiments"),
            ("POST", "/reversal/experiments/{id}/activate"),
            ("POST", "/reversal/experiments/{id}/stop"),
            ("POST", "/reversal/experiments/{id}/evaluate"),
            ("GET", "/reversal/experiments/{id}/metrics"),
            ("GET", "/reversal/experiments/{id}/report"),
            ("GET", "/reversal/experiments/{id}/export"),
            ("POST", "/reversal/outcomes"),
        )
    ),
)
