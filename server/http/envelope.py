"""The envelope of answers, and the fields of a failure."""

from __future__ import annotations

from typing import Any, TypeAlias

import orjson
from aiohttp import web

from core.errors import ServiceError
from server.http.clock import Moment

Json: TypeAlias = dict[str, Any]

# The envelope of a success. Each answer fills in its data, and its time in the configured zone.
SUCCESS: Json = {"success": True, "data": None, "error": None, "timestamp": None}


def bare(data: Json, status: int = 200) -> web.Response:
    """An answer without the envelope, as probes and health checks expect it."""
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")


def success(data: Json, now: Moment, status: int = 200) -> web.Response:
    """A response with an answer in the envelope."""
    return bare({**SUCCESS, "data": data, "timestamp": now.local}, status)


def failure(error: ServiceError, now: Moment) -> bytes:
    """The envelope of an error, encoded."""
    return orjson.dumps({**refusal(error), "timestamp": now.local})


def refusal(error: ServiceError) -> Json:
    """The fields of an error in an envelope, or in an item of a batch."""
    body: Json = {"success": False, "data": None, "error": error.message, "code": error.code}
    if error.details:
        body["details"] = [detail._asdict() for detail in error.details]
    return body
