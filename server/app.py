"""A worker's application: settings in, aiohttp application out."""

from __future__ import annotations

import os
from pathlib import Path

from aiohttp import web

from core.batching import Batcher
from core.journal import Journal
from core.registry import Registry
from core.repository import Repository
from server import lifecycle
from server.clock import Clock
from server.errors import errors
from server.keys import BATCHER, CLOCK, JOURNAL, LINK, METRICS, PREDICTOR, REGISTRY, SETTINGS, SHADOW
from server.link import Link
from server.metrics import Metrics
from server.predictor import Predictor
from server.routes import ROUTES
from server.schemas import MAX_BODY
from server.settings import Settings
from server.shadow import Shadow

# Exposures that wait in memory while the journal cannot be written: some 5 MB.
MEMORY_RECORDS = 10_000
# Requests that run together. A window takes no less time in a larger run, and the first would wait for the last.
MOST_TOGETHER = 32


def make_app(settings: Settings, keeper: Path) -> web.Application:
    """Build a worker's application, in the worker's own process; `keeper` is the keeper's socket.

    Nothing is loaded before it starts.
    """
    app = web.Application(middlewares=[errors], client_max_size=MAX_BODY)
    app[SETTINGS] = settings
    app[CLOCK] = Clock(settings.timezone)
    registry = app[REGISTRY] = Registry(Repository(settings.models))
    app[LINK] = Link(keeper, registry)
    metrics = app[METRICS] = Metrics(multiprocess="PROMETHEUS_MULTIPROC_DIR" in os.environ)
    journal = app[JOURNAL] = Journal(
        settings.journal_folder, bound_bytes=settings.journals_mib << 20, memory_records=MEMORY_RECORDS
    )
    shadow = app[SHADOW] = Shadow(lambda: registry.serving, journal, metrics)
    predictor = app[PREDICTOR] = Predictor(journal, metrics, shadow)
    app[BATCHER] = Batcher(lambda questions: predictor.predict(registry.serving, questions), MOST_TOGETHER)
    app.cleanup_ctx.extend((lifecycle.records, lifecycle.link))
    app.add_routes(ROUTES)
    return app
