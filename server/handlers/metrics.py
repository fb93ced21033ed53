"""The numbers, for Prometheus."""

from __future__ import annotations

import asyncio

from aiohttp import web

from server.keys import METRICS
from server.metrics import CONTENT_TYPE


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: of all workers, whichever answers."""
    text = await asyncio.to_thread(request.app[METRICS].exposition)
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})
