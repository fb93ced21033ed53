"""The description of the HTTP interface. Making it takes the keeper milliseconds, and a worker has none to spare."""

from __future__ import annotations

import asyncio

from aiohttp import web

from server.keys import SETTINGS
from server.openapi.document import document


async def show_description(request: web.Request) -> web.Response:
    """GET /openapi.json."""
    settings = request.app[SETTINGS]
    body = await asyncio.to_thread(lambda: document(tokens=bool(settings.tokens)))
    return web.Response(body=body, content_type="application/json")
