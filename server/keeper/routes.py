"""The table of what workers forward to the keeper."""

from __future__ import annotations

from aiohttp import web

from server.keeper.handlers import evaluation, experiments, export, outcomes, report, versions

ROUTES = (
    web.post("/reversal/models/{version}/load", versions.load),
    web.post("/reversal/models/{version}/unload", versions.unload),
    web.post("/reversal/models/{version}/switch", versions.switch),
    web.get("/reversal/experiments", experiments.list_experiments),
    web.post("/reversal/experiments", experiments.create_experiment),
    web.post("/reversal/experiments/{id}/activate", experiments.activate_experiment),
    web.post("/reversal/experiments/{id}/stop", experiments.stop_experiment),
    web.get("/reversal/experiments/{id}/metrics", experiments.show_metrics),
    web.post("/reversal/experiments/{id}/evaluate", evaluation.label_predictions),
    web.get("/reversal/experiments/{id}/report", report.show_report),
    web.get("/reversal/experiments/{id}/export", export.export),
    web.post("/reversal/outcomes", outcomes.report_outcomes),
)
