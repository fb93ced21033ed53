"""The keeper's application: what workers forward to it, and where they join."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus

from aiohttp import web

from core.bundles.repository import Repository
from core.errors import ServiceError, StoreUnavailable
from core.statistics.guardrails import crossed
from server.api.known_places import known_part
from server.http.app_keys import CLOCK, REFUSALS, SETTINGS
from server.http.bodies.body import CONNECTIONS
from server.http.clock import Clock
from server.http.errors import Refusals, errors
from server.keeper.app_keys import AUDIT, KEEPER
from server.keeper.audit import Audit
from server.keeper.keeper import Keeper
from server.keeper.members import Member
from server.keeper.metrics import KeeperMetrics
from server.keeper.routes import ROUTES
from server.protocol.messages import MEMBERS_PATH
from server.settings import Settings

log = logging.getLogger(__name__)

DRAIN_SECONDS = 0.1
# After the store refused: how long until it is tried again.
RETRY_SECONDS = 1.0
# How long one wait for another replica's word lasts; after it the state is read all the same.
FOLLOW_SECONDS = 5.0
GUARDRAIL_SECONDS = 2.0
METRICS_SECONDS = 0.5


def make_keeper_app(settings: Settings) -> web.Application:
    """Build the application; the store is opened at start.

    Raises FolderInUse where another keeper has the journals, or AuditUnusable.
    """
    clock = Clock(settings.timezone)
    refusals = Refusals(clock, known_part)
    app = web.Application(middlewares=[errors(refusals)], handler_args=CONNECTIONS)
    app[SETTINGS], app[CLOCK], app[REFUSALS] = settings, clock, refusals
    app[AUDIT] = Audit(settings.audit)
    app[KEEPER] = Keeper(
        settings.state_url,
        Repository(settings.models),
        settings.journal_folder,
        settings.user_key,
    )
    app.cleanup_ctx.append(_keeper)
    app.add_routes([web.get(MEMBERS_PATH, _member), *ROUTES])
    return app


async def _keeper(app: web.Application) -> AsyncIterator[None]:
    keeper = app[KEEPER]
    await keeper.start()
    metrics = KeeperMetrics()
    steps: tuple[tuple[str, Callable[[], Awaitable[None]], float], ...] = (
        ("drain", partial(_drain, keeper), DRAIN_SECONDS),
        ("follow", partial(_follow, keeper), 0.0),
        ("guard", partial(_guard, keeper), GUARDRAIL_SECONDS),
        ("metrics", partial(_tell, keeper, metrics, app[REFUSALS]), METRICS_SECONDS),
    )
    tasks = [asyncio.create_task(_again_and_again(*step)) for step in steps]
    yield
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
    app[REFUSALS].log.flush(math.inf)
    await keeper.close()


async def _again_and_again(name: str, step: Callable[[], Awaitable[None]], pause: float) -> None:
    """Repeat a step for ever. A store that is gone is awaited; a mistake of ours is told and does not end it."""
    while True:
        try:
            await step()
        except StoreUnavailable:  # the keeper has told it
            await asyncio.sleep(RETRY_SECONDS)
        except Exception:
            log.exception("the keeper's step %r failed", name)
            await asyncio.sleep(RETRY_SECONDS)
        await asyncio.sleep(pause)


async def _drain(keeper: Keeper) -> None:
    await keeper.write(lambda _: None)


async def _tell(keeper: Keeper, metrics: KeeperMetrics, refusals: Refusals) -> None:
    refusals.log.flush()
    metrics.refresh(
        degraded=keeper.degraded is not None, bytes_waiting=keeper.bytes_waiting, workers=len(keeper.members)
    )


async def _follow(keeper: Keeper) -> None:
    await keeper.wait_for_change(FOLLOW_SECONDS)
    await keeper.follow()


async def _guard(keeper: Keeper) -> None:
    experiment = keeper.state.experiment
    if experiment is None or experiment.guardrails == type(experiment.guardrails)():
        return
    tallies = await keeper.read(lambda store: store.tally(experiment.experiment_id))
    reason = crossed(experiment, tallies)
    if reason is None:
        return
    log.warning("experiment %s is stopped: %s", experiment.experiment_id, reason)
    try:
        await keeper.stop(experiment.experiment_id, reason)
    except ServiceError as error:
        log.error("experiment %s could not be stopped, it will be tried again: %s", experiment.experiment_id, error)


async def _member(request: web.Request) -> web.StreamResponse:
    keeper = request.app[KEEPER]
    websocket = web.WebSocketResponse(max_msg_size=0)
    try:
        await websocket.prepare(request)
    except ConnectionResetError:  # it has ended before it was one
        return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
    member = Member(websocket, f"worker {request.query.get('pid', '?')}", keeper.members)
    try:
        await asyncio.gather(member.serve(), keeper.join(member))
    finally:
        keeper.members.remove(member)
    return websocket
