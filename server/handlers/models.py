"""The versions: what there is, and loading, unloading and switching.

The registry reads files and makes sessions, so every call of it runs in a thread.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from server import answers
from server.keys import CLOCK, REGISTRY


async def list_models(request: web.Request) -> web.Response:
    """GET /reversal/models."""
    registry = request.app[REGISTRY]
    entries = await asyncio.to_thread(registry.entries)
    data = {
        "active_version": registry.serving.active,
        "versions": {entry.version: answers.model(entry) for entry in entries},
    }
    return answers.success(data, request.app[CLOCK].now())


async def show_model(request: web.Request) -> web.Response:
    """GET /reversal/models/{version}."""
    entry = await asyncio.to_thread(request.app[REGISTRY].entry, request.match_info["version"])
    return answers.success(answers.model(entry), request.app[CLOCK].now())


async def load_model(request: web.Request) -> web.Response:
    """POST /reversal/models/{version}/load."""
    version = request.match_info["version"]
    await asyncio.to_thread(request.app[REGISTRY].load, version)
    return answers.success({"version": version, "loaded": True}, request.app[CLOCK].now())


async def unload_model(request: web.Request) -> web.Response:
    """POST /reversal/models/{version}/unload."""
    version = request.match_info["version"]
    await asyncio.to_thread(request.app[REGISTRY].unload, version)
    return answers.success({"version": version, "loaded": False}, request.app[CLOCK].now())


async def switch_model(request: web.Request) -> web.Response:
    """POST /reversal/models/{version}/switch."""
    version = request.match_info["version"]
    previous = await asyncio.to_thread(request.app[REGISTRY].switch, version)
    data = {"active_version": version, "previous_version": previous}
    return answers.success(data, request.app[CLOCK].now())
