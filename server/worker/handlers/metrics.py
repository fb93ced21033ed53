"""The metrics, for Prometheus."""

from __future__ import annotations

import asyncio

from aiohttp import web

from server.worker.app_keys import METRICS
from server.worker.metrics import CONTENT_TYPE


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: the metrics of all workers, from any of them."""
    kept = request.app[METRICS]
    kept.flush()
    text = await asyncio.to_thread(kept.exposition)
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})
