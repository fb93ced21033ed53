"""The versions in the models folder. The registry reads files, so every call of it runs in a thread."""

from __future__ import annotations

import asyncio

from aiohttp import web

from core.serving.registry import ListedVersion
from server.api import answers
from server.http.app_keys import CLOCK, SETTINGS
from server.http.envelope import Json, success
from server.protocol.messages import replica_name
from server.worker.app_keys import REGISTRY, STATE_FOLLOWER


async def list_models(request: web.Request) -> web.Response:
    """GET /reversal/models."""
    registry = request.app[REGISTRY]
    entries = await asyncio.to_thread(registry.entries)
    data = {
        "active_version": registry.snapshot.active,
        "versions": {entry.version: _described(request, entry) for entry in entries},
    }
    return success(data, request.app[CLOCK].now())


async def show_model(request: web.Request) -> web.Response:
    """GET /reversal/models/{version}."""
    entry = await asyncio.to_thread(request.app[REGISTRY].entry, request.match_info["version"])
    return success(_described(request, entry), request.app[CLOCK].now())


def _described(request: web.Request, entry: ListedVersion) -> Json:
    settings = request.app[SETTINGS]
    name = replica_name(None if settings.unix_socket else settings.port)
    return answers.model(entry, name, request.app[STATE_FOLLOWER].others)
