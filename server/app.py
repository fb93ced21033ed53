"""The application: settings in, aiohttp application out."""

from __future__ import annotations

from aiohttp import web

from core.registry import Registry
from core.repository import Repository
from server import lifecycle
from server.clock import Clock
from server.errors import errors
from server.keys import CLOCK, REGISTRY, SETTINGS
from server.routes import ROUTES
from server.schemas import MAX_BODY
from server.settings import Settings


def make_app(settings: Settings) -> web.Application:
    """Build the application. Nothing is read from disk before it starts."""
    app = web.Application(middlewares=[errors], client_max_size=MAX_BODY)
    app[SETTINGS] = settings
    app[REGISTRY] = Registry(Repository(settings.models))
    app[CLOCK] = Clock(settings.timezone)
    app.cleanup_ctx.append(lifecycle.registry)
    app.add_routes(ROUTES)
    return app
