"""What the keeper answers: every call that changes or sums up what all workers share."""

from __future__ import annotations

from aiohttp import web

from server.handlers.body import read_bytes
from server.keys import LINK


async def forward(request: web.Request) -> web.StreamResponse:
    """Let the keeper answer."""
    return await request.app[LINK].forward(request, await read_bytes(request))
