"""Liveness, readiness and the active version. The answers are bare JSON, because probes do not unwrap envelopes."""

from __future__ import annotations

from aiohttp import web

from core.version import VERSION
from server.http.app_keys import CLOCK, SETTINGS
from server.http.envelope import bare
from server.worker.app_keys import REGISTRY
from server.worker.open_inference.readiness import Readiness

_UNAVAILABLE = 503


async def health(request: web.Request) -> web.Response:
    """GET /health."""
    active = request.app[REGISTRY].snapshot.active
    body = {
        "status": "healthy" if active else "unhealthy",
        "model_loaded": active is not None,
        "model_version": active,
        "timestamp": request.app[CLOCK].now().utc,
        "environment": request.app[SETTINGS].environment,
        "version": VERSION,
    }
    return bare(body, 200 if active else _UNAVAILABLE)


async def livez(request: web.Request) -> web.Response:  # noqa: ARG001 - any answer shows that the process lives
    """GET /livez: 200 while the process lives."""
    return bare({"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """GET /readyz: 200 while the active version is loaded, any can answer, and the server is not shutting down."""
    reason = Readiness.of(request.app).trouble()
    if reason is None:
        return bare({"status": "ready"})
    return bare({"status": "unavailable", "reason": reason}, _UNAVAILABLE)
