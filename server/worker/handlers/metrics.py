"""The metrics, for Prometheus."""

from __future__ import annotations

import asyncio

from aiohttp import web

from core import yielding
from server.worker.app_keys import METRICS
from server.worker.metrics import CONTENT_TYPE, Metrics


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: the metrics of all workers, from any of them."""
    kept = request.app[METRICS]
    kept.flush()
    text = await asyncio.to_thread(_written, kept)
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})


def _written(kept: Metrics) -> bytes:
    with yielding.enabled(wanted=True):
        return kept.exposition()
