"""The endpoints of a worker, each behind the token level that it requires."""

from __future__ import annotations

from functools import wraps

from aiohttp import web
from aiohttp.typedefs import Handler

from server.api import endpoints
from server.auth.access import Level
from server.auth.client_address import FORWARDED_FOR
from server.http.app_keys import ACCESS, ADDRESS, BODY_BOUNDS, CALLER, CLIENT_ADDRESSES, SETTINGS
from server.http.bodies.sizes import BodyBounds
from server.http.connections.peer import peer_of
from server.worker import handlers
from server.worker.handlers.forward import forward


def add_routes(app: web.Application) -> None:
    """Route every endpoint to its handler or to the keeper. Raises BadEndpoint if an endpoint has no handler."""
    endpoints.check()
    app[BODY_BOUNDS] = BodyBounds(endpoints.largest_bodies(), app[SETTINGS].request_timeout_ms)
    for endpoint in endpoints.ENDPOINTS:
        handler = forward if endpoint.answered_by == "keeper" else endpoint.handler_in(handlers)
        app.add_routes([endpoint.route(handler if endpoint.level is Level.OPEN else _guarded(handler, endpoint.level))])


def _guarded(handler: Handler, level: Level) -> Handler:
    @wraps(handler)
    async def guarded(request: web.Request) -> web.StreamResponse:
        app, headers = request.app, request.headers
        request[ADDRESS] = app[CLIENT_ADDRESSES].of(peer_of(request), headers.getall(FORWARDED_FOR, ()))
        request[CALLER] = await app[ACCESS].check(headers, request[ADDRESS], level, request.method)
        return await handler(request)

    return guarded
