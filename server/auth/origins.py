"""Refusal of requests that web pages of other machines send to a server without tokens."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from server.auth.access import Access


def refusing(access: Access) -> Middleware:
    """Middleware that refuses what a page must not send, before the endpoint is looked up."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        # request.host differs from the header if the request's target is a whole URL.
        for host in (request.headers.get("Host"), request.host or None):
            access.check_host(host)
        access.check_origin(request.method, request.headers.get("Origin"))
        return await handler(request)

    return middleware
