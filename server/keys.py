"""What handlers find in the application."""

from __future__ import annotations

from aiohttp import web

from core.registry import Registry
from server.clock import Clock
from server.settings import Settings

SETTINGS = web.AppKey("settings", Settings)
REGISTRY = web.AppKey("registry", Registry)
CLOCK = web.AppKey("clock", Clock)
