"""Load, unload and switch versions on all workers."""

from __future__ import annotations

from aiohttp import web

from server.http.app_keys import CLOCK
from server.http.envelope import success
from server.keeper.app_keys import CHANGES


async def load(request: web.Request) -> web.Response:
    """POST /reversal/models/{version}/load."""
    version = request.match_info["version"]
    await request.app[CHANGES].load(version)
    return success({"version": version, "loaded": True}, request.app[CLOCK].now())


async def unload(request: web.Request) -> web.Response:
    """POST /reversal/models/{version}/unload."""
    version = request.match_info["version"]
    await request.app[CHANGES].unload(version)
    return success({"version": version, "loaded": False}, request.app[CLOCK].now())


async def switch(request: web.Request) -> web.Response:
    """POST /reversal/models/{version}/switch."""
    switched = await request.app[CHANGES].switch(request.match_info["version"])
    data = {"active_version": switched.active, "previous_version": switched.previous}
    return success(data, request.app[CLOCK].now())
