"""Writes a handler's calls into the audit log."""

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
from server.http.request_log.request_ids import id_of
from server.keeper.app_keys import AUDIT, CHANGES
from server.protocol.messages import ADDRESS_HEADER, CALLER_HEADER


def audited(handler: Handler) -> Handler:
    """Wrap a handler so that its calls are in the audit log before they are answered."""

    @wraps(handler)
    async def wrapped(request: web.Request) -> web.StreamResponse:
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
                "who": request.headers.get(CALLER_HEADER),  # plain-english: a field of the audit log
                "address": request.headers.get(ADDRESS_HEADER),
                "request_id": id_of(request),
                "call": f"{request.method} {request.path}",
                "answer": answer,
                "before": before,
                "after": _described(changes.state),
            }
            await asyncio.to_thread(request.app[AUDIT].write, entry)
        return response

    return wrapped


def _described(state: State) -> dict[str, Any]:
    experiment = state.experiment
    return {
        "revision": state.revision,
        "active": state.active,
        "unloaded": state.unloaded,
        "experiment": None if experiment is None else experiment.experiment_id,
    }
