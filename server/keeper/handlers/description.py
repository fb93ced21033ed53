"""The description of the HTTP interface.

The keeper answers it, because building it takes milliseconds in which a worker would answer no prediction.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from server.api.openapi.document import document
from server.http.app_keys import SETTINGS


async def show_description(request: web.Request) -> web.Response:
    """GET /openapi.json."""
    guarded = request.app[SETTINGS].guarded
    body = await asyncio.to_thread(lambda: document(tokens=guarded))
    return web.Response(body=body, content_type="application/json")
