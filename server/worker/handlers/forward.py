"""What the keeper answers: every call that changes or sums up what all workers share."""

from __future__ import annotations

from contextlib import ExitStack

from aiohttp import hdrs, web

from server.http.app_keys import CALLER
from server.http.bodies.body import read_bytes
from server.worker.app_keys import KEEPER_CLIENT


async def forward(request: web.Request) -> web.StreamResponse:
    """Let the keeper answer. Only so long may the body take to come: what a change takes, nobody can cut short."""
    app, body = request.app, b""
    with ExitStack() as places:
        if request.method == hdrs.METH_POST:
            body = await read_bytes(request, places=places)
        return await app[KEEPER_CLIENT].forward(request, body, request[CALLER])
