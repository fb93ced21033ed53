"""The table of endpoints."""

from __future__ import annotations

from aiohttp import web

from server.handlers import compare, health, models, predict

ROUTES = (
    web.get("/health", health.health),
    web.get("/livez", health.livez),
    web.get("/readyz", health.readyz),
    web.post("/predict", predict.legacy_predict),
    web.post("/reversal/predict", predict.predict),
    web.post("/reversal/predict_raw", predict.predict),
    web.post("/reversal/predict/batch", predict.predict_batch),
    web.post("/reversal/compare", compare.compare),
    web.post("/reversal/compare_raw", compare.compare),
    web.get("/reversal/models", models.list_models),
    web.get("/reversal/models/{version}", models.show_model),
    web.post("/reversal/models/{version}/load", models.load_model),
    web.post("/reversal/models/{version}/unload", models.unload_model),
    web.post("/reversal/models/{version}/switch", models.switch_model),
)
