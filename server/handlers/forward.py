"""What the keeper answers: every call that changes or sums up what all workers share."""

from __future__ import annotations

from aiohttp import web

from server.deadline import deadline
from server.handlers.body import read_bytes
from server.keys import CALLER, LINK, SETTINGS


async def forward(request: web.Request) -> web.StreamResponse:
    """Let the keeper answer."""
    body = await read_bytes(request, deadline(request.headers, request.app[SETTINGS].request_timeout_ms))
    return await request.app[LINK].forward(request, body, request[CALLER])
