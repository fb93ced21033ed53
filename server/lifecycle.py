"""What starts with the application and ends with it: one cleanup context a resource."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from aiohttp import web

from server.keys import REGISTRY, SETTINGS

log = logging.getLogger(__name__)


async def registry(app: web.Application) -> AsyncIterator[None]:
    """Load the bundles before the port opens. None that loads is no reason not to start: /readyz tells."""
    await asyncio.to_thread(app[REGISTRY].load_all)
    serving = app[REGISTRY].serving
    if serving.active is None:
        log.error("no version of %s could be loaded: predictions answer 503 until one is", app[SETTINGS].models)
    else:
        log.info("version %s is active, loaded: %s", serving.active, ", ".join(serving.detectors))
    yield
    log.info("stopped")
