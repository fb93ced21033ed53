"""Requests that the keeper answers: those that change or summarise state that all workers share."""

from __future__ import annotations

from contextlib import ExitStack

from aiohttp import hdrs, web

from server.http.app_keys import ACCESS, ADDRESS, CALLER
from server.http.bodies.body import read_bytes
from server.tracing.requests import calling
from server.worker.app_keys import KEEPER_CLIENT
from server.worker.upstream.keeper_client import Caller


async def forward(request: web.Request) -> web.StreamResponse:
    """Let the keeper answer. The deadline applies only to reading the body: a change in progress is not cancelled."""
    app, body = request.app, b""
    with ExitStack() as places:
        if request.method == hdrs.METH_POST:
            body = await read_bytes(request, places=places)
        caller = Caller(request[CALLER], request[ADDRESS], manages=app[ACCESS].manages(request.headers))
        with calling(request, "keeper") as traced:
            return await app[KEEPER_CLIENT].forward(request, body, caller, traced)
