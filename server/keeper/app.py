"""The keeper's application: the endpoints that workers forward to it, and the endpoint at which workers join."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from core.bundles.kept import KeptBundles
from core.bundles.repository import Repository
from core.errors import ServiceError, StoreUnavailable
from core.experiments.experiment import Experiment, iso, now_micros
from core.log_event import LogEvent
from core.reports.recorded import read
from core.reports.result_guardrails import has_limits, results_crossed
from core.statistics.guardrails import crossed
from server.api import endpoints
from server.api.known_places import known_part
from server.http.app_keys import CLOCK, REFUSALS, SETTINGS
from server.http.bodies.body import CONNECTIONS
from server.http.clock import Clock
from server.http.errors import Refusals, errors
from server.http.request_log.request_ids import with_request_id
from server.keeper import answers
from server.keeper.app_keys import (
    AUDIT,
    CHANGES,
    COLLECTOR,
    HUB,
    MEMBERS,
    REPLICAS,
    REPORTER,
    REPOSITORY,
    SHARED,
    STORE,
)
from server.keeper.audit import Audit
from server.keeper.changes import Changes
from server.keeper.dashboard.setting_up import add_hub
from server.keeper.fleet.member import Member
from server.keeper.fleet.members import Members
from server.keeper.fleet.replicas import LOOK_SECONDS, Replicas
from server.keeper.metrics import KeeperMetrics
from server.keeper.remembered_state import RememberedState
from server.keeper.reports.recall import refresh_recall
from server.keeper.reports.reporter import Reporter
from server.keeper.routes import add_routes
from server.keeper.store_access import StoreAccess
from server.keeper.tracing.collecting import Collector
from server.protocol.messages import KEPT_BUNDLES, MEMBERS_PATH, TRACES_PATH, replica_name
from server.settings import Settings
from server.tracing.requests import tracing
from server.tracing.tracer import Tracer

log = logging.getLogger(__name__)

# The pause after a step failed.
RETRY_SECONDS = 1.0
# How long one wait for another replica's notification lasts; after it the state is read in any case. The pause after a
# failure is shorter than that of other steps, because this replica answers with an old state until then.
FOLLOW_SECONDS = 5.0
FOLLOW_RETRY_SECONDS = 0.25
GUARDRAIL_SECONDS = 2.0
# Guardrails on results read as much as a report does. With millions of predictions that takes seconds, and after it
# they rest so many times as long.
RESULTS_SECONDS = 30.0
RESULTS_REST = 10
# Labels arrive when a client sends them, an hour or more after their candle. Reading costs as much as for a guardrail.
RECALL_SECONDS = 10.0
STOP_AT_SECONDS = 1.0
# How often the store is tested, so that an operator learns of its failure before the next management call does.
TEST_SECONDS = 2.0
METRICS_SECONDS = 0.5
# How often the keeper asks whether a look at the active experiment is due.
LOOK_AT_EXPERIMENT_SECONDS = 15.0
# How often the keeper asks whether copies of bundles are no longer served.
COPIES_SECONDS = 2.0


def make_keeper_app(settings: Settings, shared: Path | None = None) -> web.Application:
    """Build the application. The store is opened when the application starts.

    shared: the folder that the server's processes share. With None, copies of bundles and metrics there are left alone.
    Raises FolderInUse if another keeper uses the folder of journals, or AuditUnusable.
    """
    clock = Clock(settings.timezone)
    refusals = Refusals(clock, known_part, endpoints.facts())
    app = web.Application(middlewares=[with_request_id, errors(refusals)], handler_args=CONNECTIONS)
    app[SETTINGS], app[CLOCK], app[REFUSALS] = settings, clock, refusals
    app[AUDIT] = Audit(settings.audit)
    members = app[MEMBERS] = Members()
    repository = app[REPOSITORY] = Repository(settings.models)
    store = app[STORE] = StoreAccess(settings.state_url, settings.journal_folder)
    app[REPORTER] = Reporter(store)
    remembered = RememberedState(settings.journal_folder)
    name = replica_name(None if settings.unix_socket else settings.port)
    replicas = app[REPLICAS] = Replicas(name, store, members, repository)
    app[CHANGES] = Changes(store, members, replicas, remembered, user_key=settings.user_key)
    add_hub(app, shared)
    if settings.tracing:
        collector = app[COLLECTOR] = Collector(settings.environment, settings.tracing_ratio)
        # The worker has decided: a request without a parent that is recorded is not recorded here either.
        app.middlewares.insert(0, tracing(Tracer(0.0, collector.keep)))
        app.cleanup_ctx.append(collector.exporting)
        app.add_routes([web.post(TRACES_PATH, collector.receive)])
    app[SHARED] = shared
    app.cleanup_ctx.append(_keeper)
    app.add_routes([web.get(MEMBERS_PATH, _member)])
    add_routes(app)
    return app


async def _keeper(app: web.Application) -> AsyncIterator[None]:
    store, changes, refusals, replicas = app[STORE], app[CHANGES], app[REFUSALS], app[REPLICAS]
    await changes.start()
    metrics, reporter = KeeperMetrics(app[SETTINGS].workers), app[REPORTER]
    steps: tuple[tuple[str, Callable[[], Awaitable[None]], float], ...] = (
        ("drain", store.drain_and_rest, 0.0),
        ("follow", partial(follow_other_replicas, store, changes), 0.0),
        ("hold", partial(_stop_if_replaced, changes, app[MEMBERS]), 0.0),
        ("guard", partial(_stop_at_guardrail, store, changes), GUARDRAIL_SECONDS),
        ("guard results", partial(_stop_at_results, store, changes), RESULTS_SECONDS),
        ("recall", partial(_refresh_recall, store, app[REPOSITORY], metrics), RECALL_SECONDS),
        ("look", lambda: reporter.look(changes.state.experiment), LOOK_AT_EXPERIMENT_SECONDS),
        ("stop_at", partial(_stop_when_due, store, changes, app[MEMBERS]), STOP_AT_SECONDS),
        ("test writing", store.try_writing, TEST_SECONDS),
        ("check access", store.check_access, TEST_SECONDS),
        ("leave hung", store.leave_hung, TEST_SECONDS),
        ("remove copies", partial(_remove_copies, changes, app[SHARED]), COPIES_SECONDS),
        ("report replica", lambda: replicas.report(changes.state), LOOK_SECONDS),
        ("keep minute", app[HUB].keep_minute, 0.0),
        ("metrics", partial(_refresh_metrics, metrics, app), METRICS_SECONDS),
    )
    tasks = [asyncio.create_task(_repeat(*step)) for step in steps]
    yield
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
    refusals.flush(math.inf)
    await reporter.close()
    await replicas.leave()
    await store.close()


async def _repeat(name: str, step: Callable[[], Awaitable[None]], pause: float) -> None:
    """Repeat a step until it is cancelled. An unavailable store or an internal error only delays it."""
    while True:
        try:
            await step()
        except StoreUnavailable:  # StoreAccess has logged it
            await asyncio.sleep(RETRY_SECONDS)
        except Exception:
            log.exception(LogEvent("keeper_step_failed", step=name, effect=f"it is repeated in {RETRY_SECONDS:g} s"))
            await asyncio.sleep(RETRY_SECONDS)
        await asyncio.sleep(pause)


async def follow_other_replicas(store: StoreAccess, changes: Changes) -> None:
    """Wait for a change by another replica, and apply it."""
    await store.wait_for_change(FOLLOW_SECONDS)
    while True:
        try:
            return await changes.follow()
        except StoreUnavailable:  # StoreAccess has logged it. What was waited for does not come again
            await asyncio.sleep(FOLLOW_RETRY_SECONDS)


async def _stop_at_guardrail(store: StoreAccess, changes: Changes) -> None:
    experiment = changes.state.experiment
    if experiment is None or experiment.guardrails == type(experiment.guardrails)():
        return
    tallies = await store.read(lambda store: store.tally(experiment.experiment_id))
    await _stop_if_crossed(experiment, changes, crossed(experiment, tallies))


async def _stop_at_results(store: StoreAccess, changes: Changes) -> None:
    experiment = changes.state.experiment
    if experiment is None or not has_limits(experiment):
        return
    begun = time.monotonic()
    _, recorded = await store.read(lambda store: read(store, experiment.experiment_id))
    await _stop_if_crossed(experiment, changes, await asyncio.to_thread(results_crossed, experiment, recorded))
    await asyncio.sleep(RESULTS_REST * (time.monotonic() - begun))


async def _refresh_recall(store: StoreAccess, repository: Repository, metrics: KeeperMetrics) -> None:
    begun = time.monotonic()
    await refresh_recall(store, repository, metrics)
    await asyncio.sleep(RESULTS_REST * (time.monotonic() - begun))


async def _stop_if_crossed(experiment: Experiment, changes: Changes, reason: str | None) -> None:
    if reason is None:
        return
    name = experiment.experiment_id
    log.warning(LogEvent("guardrail_crossed", experiment=name, reason=reason, effect="the experiment is stopped"))
    try:
        await changes.stop(name, reason)
    except ServiceError as error:
        effect = "the experiment goes on; the stop is repeated soon"
        log.error(LogEvent("guardrail_stop_failed", experiment=name, error=error, effect=effect))


async def _stop_if_replaced(changes: Changes, members: Members) -> None:
    """Wait until a worker finds another bundle than at activation, and stop the experiment for all replicas.

    The worker serves without the experiment from the start, so that nothing is recorded under a wrong version, whatever
    happens here.
    """
    found = await members.replaced.get()
    experiment = (await changes.settled()).experiment
    if experiment is None or experiment.experiment_id != found[0].experiment_id:
        return
    name = experiment.experiment_id
    for each in found:
        recorded, effect = experiment.digest_of(each.version), "the experiment is stopped"
        log.error(
            LogEvent(
                "bundle_replaced",
                experiment=name,
                version=each.version,
                recorded=recorded,
                found=each.found,
                effect=effect,
            )
        )
    reason = "; ".join(
        f"bundle of {each.version} was replaced: sha256 {experiment.digest_of(each.version)} at activation,"
        f" {each.found} now"
        for each in found
    )
    while changes.state.experiment == experiment:
        try:
            await changes.stop(name, reason)
        except StoreUnavailable:  # StoreAccess has logged it
            await asyncio.sleep(RETRY_SECONDS)


async def _stop_when_due(store: StoreAccess, changes: Changes, members: Members) -> None:
    """Stop the active experiment if its `stop_at` has been reached. Of several replicas, the first one stops it."""
    experiment = changes.state.experiment
    if experiment is None or experiment.stop_at is None or not experiment.is_due(now_micros()):
        return
    if not len(members):  # at startup: nothing can be changed before a worker has joined
        return
    name = experiment.experiment_id
    try:
        stopped = await changes.stop(name, f"stop_at {iso(experiment.stop_at)} reached")
    except ServiceError as error:
        if store.degraded is None:  # otherwise StoreAccess has logged it, once for the whole outage
            effect = f"the experiment goes on; the stop is repeated in {STOP_AT_SECONDS:g} s"
            log.error(LogEvent("stop_at_failed", experiment=name, error=error, effect=effect))
        return
    since = answers.iso(stopped.stopped_at)
    log.info(LogEvent("experiment_stopped", experiment=name, since=since, reason=stopped.stop_reason))


async def _remove_copies(changes: Changes, shared: Path | None) -> None:
    if shared is not None:
        await changes.remove_copies(KeptBundles(shared / KEPT_BUNDLES))


async def _refresh_metrics(metrics: KeeperMetrics, app: web.Application) -> None:
    app[REFUSALS].flush()
    store, members = app[STORE], app[MEMBERS]
    metrics.refresh(
        degraded=store.degraded is not None,
        bytes_waiting=store.bytes_waiting,
        workers=len(members),
        lost=members.lost,
    )
    metrics.know_replicas(1 + len(app[REPLICAS].others))
    if COLLECTOR in app:
        metrics.traced(app[COLLECTOR].exported, app[COLLECTOR].dropped)


async def _member(request: web.Request) -> web.StreamResponse:
    members = request.app[MEMBERS]
    websocket = web.WebSocketResponse(max_msg_size=0)
    try:
        await websocket.prepare(request)
    except ConnectionResetError:  # the worker ended before the handshake was complete
        return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
    member = Member(websocket, f"worker {request.query.get('pid', '?')}", members)
    try:
        await asyncio.gather(member.serve(), request.app[CHANGES].join(member))
    finally:
        members.remove(member)
    return websocket
