"""The endpoints that the keeper answers. Every endpoint that takes an admin token writes to the audit log."""

from __future__ import annotations

from aiohttp import web

from server.api import endpoints
from server.auth.access import Level
from server.http.app_keys import BODY_BOUNDS
from server.http.bodies.sizes import BodyBounds
from server.keeper import handlers
from server.keeper.dashboard.telling import CHANGED_BY, telling
from server.keeper.handlers.audited import audited


def add_routes(app: web.Application) -> None:
    """Add the keeper's endpoints. Raises BadEndpoint if one has no handler."""
    endpoints.check()
    # No deadline for bodies, because a worker forwards a body only when it is complete.
    app[BODY_BOUNDS] = BodyBounds(endpoints.largest_bodies(), timeout_ms=None)
    for endpoint in endpoints.ENDPOINTS:
        if endpoint.answered_by == "keeper":
            handler = endpoint.handler_in(handlers)
            if endpoint.level is Level.ADMIN:
                handler = audited(handler)
            if endpoint.method == "POST" and (what := CHANGED_BY.get(endpoint.handler.partition(".")[0])) is not None:
                handler = telling(handler, what)
            app.add_routes([endpoint.route(handler)])
