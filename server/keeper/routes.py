"""The table of what workers forward to the keeper."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from core.errors import ServiceError
from core.serving.state import State
from server.keeper.app_keys import AUDIT, CHANGES
from server.keeper.handlers import description, evaluation, experiments, export, outcomes, report, versions
from server.protocol.messages import ADDRESS_HEADER, CALLER_HEADER


def _audited(handler: Handler) -> Handler:
    """Let a management call be written down before it is answered."""

    @wraps(handler)
    async def noted(request: web.Request) -> web.StreamResponse:
        changes, at = request.app[CHANGES], datetime.now(UTC)
        before = _described(changes.state)
        answer: Any = None
        try:
            response = await handler(request)
            if isinstance(response, web.Response) and isinstance(response.body, bytes):
                answer = orjson.loads(response.body)["data"]
        except Exception as error:
            answer = {"error": str(error), "code": error.code if isinstance(error, ServiceError) else ServiceError.code}
            raise
        finally:
            entry = {
                "at": at.isoformat(timespec="milliseconds"),
                "who": request.headers.get(CALLER_HEADER),
                "address": request.headers.get(ADDRESS_HEADER),
                "call": f"{request.method} {request.path}",
                "answer": answer,
                "before": before,
                "after": _described(changes.state),
            }
            await asyncio.to_thread(request.app[AUDIT].write, entry)
        return response

    return noted


def _described(state: State) -> dict[str, Any]:
    experiment = state.experiment
    return {
        "revision": state.revision,
        "active": state.active,
        "unloaded": state.unloaded,
        "experiment": None if experiment is None else experiment.experiment_id,
    }


ROUTES = (
    web.get("/openapi.json", description.show_description),
    web.post("/reversal/models/{version}/load", _audited(versions.load)),
    web.post("/reversal/models/{version}/unload", _audited(versions.unload)),
    web.post("/reversal/models/{version}/switch", _audited(versions.switch)),
    web.get("/reversal/experiments", experiments.list_experiments),
    web.post("/reversal/experiments", _audited(experiments.create_experiment)),
    web.post("/reversal/experiments/{id}/activate", _audited(experiments.activate_experiment)),
    web.post("/reversal/experiments/{id}/stop", _audited(experiments.stop_experiment)),
    web.get("/reversal/experiments/{id}/metrics", experiments.show_metrics),
    web.post("/reversal/experiments/{id}/evaluate", evaluation.label_predictions),
    web.get("/reversal/experiments/{id}/report", report.show_report),
    web.get("/reversal/experiments/{id}/export", export.export),
    web.post("/reversal/outcomes", outcomes.report_outcomes),
)
