"""The versions in the models folder. The registry reads files, so every call of it runs in a thread."""

from __future__ import annotations

import asyncio

from aiohttp import web

from server.api import answers
from server.http.app_keys import CLOCK
from server.http.envelope import success
from server.worker.app_keys import REGISTRY


async def list_models(request: web.Request) -> web.Response:
    """GET /reversal/models."""
    registry = request.app[REGISTRY]
    entries = await asyncio.to_thread(registry.entries)
    data = {
        "active_version": registry.snapshot.active,
        "versions": {entry.version: answers.model(entry) for entry in entries},
    }
    return success(data, request.app[CLOCK].now())


async def show_model(request: web.Request) -> web.Response:
    """GET /reversal/models/{version}."""
    entry = await asyncio.to_thread(request.app[REGISTRY].entry, request.match_info["version"])
    return success(answers.model(entry), request.app[CLOCK].now())
