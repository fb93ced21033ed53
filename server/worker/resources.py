"""Resources that start and stop with a worker's application, one cleanup context each."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web

from core.log_event import LogEvent
from core.serving.circuit_breaker import RETRY_SECONDS
from server.http.app_keys import ADMISSION, BATCH_ADMISSION, CERTIFICATE, REFUSALS, SETTINGS
from server.worker.app_keys import (
    CIRCUIT_BREAKER,
    EXPLAINER,
    JOURNAL,
    KEEPER_CLIENT,
    METRICS,
    PREDICTOR,
    REGISTRY,
    SHADOW,
    STATE_FOLLOWER,
)

log = logging.getLogger(__name__)

REFRESH_SECONDS = 1.0


async def records(app: web.Application) -> AsyncIterator[None]:
    """Record predictions. At shutdown, score what the shadow queue holds and close the journal."""
    tasks = [asyncio.create_task(step(app)) for step in (_refresh, _retry)]
    yield
    for task in tasks:
        await _end(task)
    app[REFUSALS].flush(math.inf)
    await app[SHADOW].close()
    app[PREDICTOR].beside.flush(ending=True)
    lost = await asyncio.to_thread(app[JOURNAL].close)
    if lost:
        effect = "the answers were sent, but no experiment counts them"
        log.error(LogEvent("exposures_lost", count=lost, error=app[JOURNAL].error, effect=effect))


async def certificate(app: web.Application) -> AsyncIterator[None]:
    """Reload the certificate when its files change."""
    following = asyncio.create_task(app[CERTIFICATE].follow())
    yield
    await _end(following)


async def keeper(app: web.Application) -> AsyncIterator[None]:
    """Follow the keeper's state. The port is opened once that state's bundles are loaded.

    The worker starts even if no version can be loaded; /readyz then answers 503.
    """
    app[KEEPER_CLIENT].open()
    following = await app[STATE_FOLLOWER].start()
    snapshot = app[REGISTRY].snapshot
    if snapshot.active is None:
        effect = "predictions answer 503 until a version is loaded"
        log.error(LogEvent("versions_unavailable", path=app[SETTINGS].models, effect=effect))
    else:
        log.info(LogEvent("worker_ready", active=snapshot.active, versions=list(snapshot.detectors)))
    yield
    await _end(following)
    await app[KEEPER_CLIENT].close()


async def _refresh(app: web.Application) -> None:
    """Once a second, retry the records that wait in memory, write counts, and refresh metrics and log."""
    journal = app[JOURNAL]
    while True:
        waiting = journal.waiting
        while not journal.retry() and journal.waiting < waiting:  # piece by piece, so that requests run in between
            waiting = journal.waiting
            await asyncio.sleep(0)
        app[PREDICTOR].beside.flush()
        app[REFUSALS].flush()
        registry, metrics = app[REGISTRY], app[METRICS]
        metrics.in_progress.set(app[ADMISSION].inside)
        metrics.refresh(registry.snapshot, journal, app[CIRCUIT_BREAKER], registry.loader.seconds, registry.failed)
        for admission in (app[ADMISSION], app[BATCH_ADMISSION], app[EXPLAINER].admission):
            admission.measure(REFRESH_SECONDS)
        await asyncio.sleep(REFRESH_SECONDS)


async def _retry(app: web.Application) -> None:
    """Retry versions that keep failing: at once when one is suspected, then periodically."""
    breaker = app[CIRCUIT_BREAKER]
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS / 2):
                await breaker.suspected.wait()
        breaker.suspected.clear()
        for detector in breaker.due():
            breaker.tried(detector, well=await asyncio.to_thread(breaker.retry, detector))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
