"""The envelope of every answer, and the shape of a failure."""

from __future__ import annotations

from typing import Any, TypeAlias

import orjson
from aiohttp import web

from core.errors import ServiceError
from server.http.clock import Moment

Json: TypeAlias = dict[str, Any]

# What a success is wrapped in, with null for what each answer puts there: its data, and its time in the zone.
SUCCESS: Json = {"success": True, "data": None, "error": None, "timestamp": None}


def bare(data: Json, status: int = 200) -> web.Response:
    """An answer without the envelope, as probes and health checks expect it."""
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")


def success(data: Json, now: Moment, status: int = 200) -> web.Response:
    """The response with an answer."""
    return bare({**SUCCESS, "data": data, "timestamp": now.local}, status)


def failure(error: ServiceError, now: Moment) -> bytes:
    """An error, encoded."""
    return orjson.dumps({**refusal(error), "timestamp": now.local})


def refusal(error: ServiceError) -> Json:
    """What an envelope, or a batch's item, holds of an error."""
    body: Json = {"success": False, "data": None, "error": error.message, "code": error.code}
    if error.details:
        body["details"] = [detail._asdict() for detail in error.details]
    return body
