"""Pages in browsers, of whatever machine, whose requests reach a server that asks for no token."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from server.auth.access import Access


def refusing(access: Access) -> Middleware:
    """Refuse what a page must not send, before anything looks for the endpoint."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        # The latter is another one where the request's target is a whole URL.
        for host in (request.headers.get("Host"), request.host or None):
            access.check_host(host)
        access.check_origin(request.method, request.headers.get("Origin"))
        return await handler(request)

    return middleware
