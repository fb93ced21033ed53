"""What starts with a worker's application and ends with it: one cleanup context a resource."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web

from core.serving.circuit_breaker import RETRY_SECONDS
from server.http.app_keys import ADMISSION, BATCH_ADMISSION, CERTIFICATE, REFUSALS, SETTINGS
from server.worker.app_keys import CIRCUIT_BREAKER, JOURNAL, KEEPER_CLIENT, METRICS, REGISTRY, SHADOW, STATE_FOLLOWER

log = logging.getLogger(__name__)

REFRESH_SECONDS = 1.0


async def records(app: web.Application) -> AsyncIterator[None]:
    """What is recorded of predictions. At the end shadow scores are finished and the journal is closed."""
    tasks = [asyncio.create_task(step(app)) for step in (_refresh, _retry)]
    yield
    for task in tasks:
        await _end(task)
    app[REFUSALS].log.flush(math.inf)
    await app[SHADOW].close()
    lost = await asyncio.to_thread(app[JOURNAL].close)
    if lost:
        log.error("%d exposures were answered and could not be recorded: %s", lost, app[JOURNAL].error)


async def certificate(app: web.Application) -> AsyncIterator[None]:
    """Read the certificate again when it changes."""
    following = asyncio.create_task(app[CERTIFICATE].follow())
    yield
    await _end(following)


async def keeper(app: web.Application) -> AsyncIterator[None]:
    """Follow the keeper's state; the port is served once its bundles are loaded.

    None that loads is no reason not to start: /readyz tells.
    """
    app[KEEPER_CLIENT].open()
    following = await app[STATE_FOLLOWER].start()
    snapshot = app[REGISTRY].snapshot
    if snapshot.active is None:
        log.error("no version of %s could be loaded: predictions answer 503 until one is", app[SETTINGS].models)
    else:
        log.info("version %s is active, loaded: %s", snapshot.active, ", ".join(snapshot.detectors))
    yield
    await _end(following)
    await app[KEEPER_CLIENT].close()


async def _refresh(app: web.Application) -> None:
    """Try again to write what waits, and copy to the metrics what others count."""
    journal = app[JOURNAL]
    while True:
        waiting = journal.waiting
        while not journal.retry() and journal.waiting < waiting:  # piece by piece, with requests in between
            waiting = journal.waiting
            await asyncio.sleep(0)
        app[REFUSALS].log.flush()
        app[METRICS].refresh(app[REGISTRY].snapshot, journal, app[CIRCUIT_BREAKER])
        for admission in (app[ADMISSION], app[BATCH_ADMISSION]):
            admission.measure(REFRESH_SECONDS)
        await asyncio.sleep(REFRESH_SECONDS)


async def _retry(app: web.Application) -> None:
    """Try the versions that fail again and again: at once, and from then on every now and then."""
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
