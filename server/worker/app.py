"""A worker's application: settings in, aiohttp application out."""

from __future__ import annotations

import os
from pathlib import Path

from aiohttp import web

from core.bundles.kept import KeptBundles
from core.bundles.repository import Repository
from core.journals.journal import Journal
from core.serving.batching import Batcher
from core.serving.circuit_breaker import CircuitBreaker
from core.serving.loading import Loader
from core.serving.registry import Registry
from core.serving.trials import Trials
from server.api import endpoints
from server.api.known_places import known_part
from server.auth.access import Access
from server.auth.client_address import ClientAddresses
from server.auth.credentials import Credentials
from server.auth.hosts import Hosts
from server.auth.origins import refusing
from server.http.admission import Admission
from server.http.app_keys import (
    ACCESS,
    ADMISSION,
    BATCH_ADMISSION,
    BODY_MEMORY,
    CERTIFICATE,
    CLIENT_ADDRESSES,
    CLOCK,
    REFUSALS,
    SETTINGS,
)
from server.http.bodies import sizes
from server.http.bodies.body import CONNECTIONS
from server.http.bodies.memory import BodyMemory
from server.http.clock import Clock
from server.http.errors import Refusals, errors
from server.http.headers import preflight, preparing
from server.http.request_log.request_ids import with_request_id
from server.protocol.messages import KEPT_BUNDLES
from server.settings import Settings
from server.tracing.requests import TRACER, tracing
from server.tracing.tracer import Tracer
from server.worker import resources
from server.worker.app_keys import (
    BATCHER,
    CIRCUIT_BREAKER,
    DRAINING,
    EXPLAINER,
    JOURNAL,
    KEEPER_CLIENT,
    METRICS,
    PREDICTOR,
    REGISTRY,
    SHADOW,
    STATE_FOLLOWER,
)
from server.worker.dashboard.showing import Showing
from server.worker.dashboard.windows import KeptWindows
from server.worker.draining import Draining, last_answers
from server.worker.explainer import Explainer
from server.worker.metrics import Metrics
from server.worker.open_inference.readiness import Readiness
from server.worker.predictor import Predictor
from server.worker.routes import add_routes
from server.worker.shadow import Shadow
from server.worker.upstream.keeper_client import KeeperClient
from server.worker.upstream.state_follower import StateFollower

# Exposures kept in memory while the journal cannot be written: about 5 MB.
MEMORY_RECORDS = 10_000
# Most requests in one model run. A larger run costs no less per window, and its first request would wait for its last.
MAX_BATCHED = 32
# Batches allowed in progress for each prediction allowed in progress: the body of a batch can have 32 MiB.
BATCHES_PER_PREDICTION = 1 / 32


def make_app(settings: Settings, credentials: Credentials, keeper: Path, *, local: bool = True) -> web.Application:
    """Build a worker's application, in the worker's own process. The bundles are loaded when it starts.

    keeper: the keeper's socket. local: whether the worker listens on loopback or on a Unix socket only.
    """
    draining, clock = Draining(), Clock(settings.timezone)
    metrics = Metrics(multiprocess="PROMETHEUS_MULTIPROC_DIR" in os.environ)
    refusals = Refusals(clock, known_part, endpoints.facts(), metrics.count_error, metrics.count_stranger)
    origins = settings.cors_origins
    # A port that other machines reach is open to them under any name, so checking the Host would protect nothing.
    hosts = Hosts((settings.host, *settings.allowed_hosts)) if local else None
    access = Access(credentials.tokens, credentials.failed, hosts=hosts, origins=origins)
    middlewares = [with_request_id, last_answers(draining), errors(refusals), refusing(access)]
    if origins:
        middlewares.append(preflight(origins))
    app = web.Application(middlewares=middlewares, handler_args=CONNECTIONS)
    app.on_response_prepare.append(preparing(origins))
    app[ACCESS] = access
    app[CLIENT_ADDRESSES] = ClientAddresses(settings.trusted_proxies)
    app[SETTINGS], app[DRAINING], app[CLOCK], app[REFUSALS] = settings, draining, clock, refusals
    repository, shared = Repository(settings.models), keeper.parent
    loader = Loader(
        repository,
        refuse_out_of_range=settings.out_of_range == "refuse",
        trials=Trials(shared),
        kept=KeptBundles(shared / KEPT_BUNDLES),
    )
    registry = app[REGISTRY] = Registry(repository, loader)
    app[KEEPER_CLIENT] = KeeperClient(keeper, draining)
    app[METRICS] = metrics
    journal = app[JOURNAL] = Journal(
        settings.journal_folder, bound_bytes=settings.journals_mib << 20, memory_records=MEMORY_RECORDS
    )
    shadow = app[SHADOW] = Shadow(lambda: registry.snapshot, journal, metrics)
    breaker = app[CIRCUIT_BREAKER] = CircuitBreaker()
    windows = KeptWindows() if settings.keep_windows else None
    predictor = app[PREDICTOR] = Predictor(registry, journal, metrics, shadow, breaker, windows=windows)
    showing = Showing(predictor.recent, windows, registry, Readiness(registry, breaker, draining), journal)
    app[STATE_FOLLOWER] = StateFollower(keeper, registry, draining, showing.answer)
    app[BATCHER] = Batcher(predictor.answer, MAX_BATCHED, predictor.note)
    app[ADMISSION], app[EXPLAINER] = Admission(settings.max_in_flight), Explainer(metrics)
    batches = max(1, round(settings.max_in_flight * BATCHES_PER_PREDICTION))
    app[BATCH_ADMISSION], app[BODY_MEMORY] = Admission(batches), BodyMemory(batches * sizes.BATCH)
    if credentials.certificate is not None:
        app[CERTIFICATE] = credentials.certificate
        app.cleanup_ctx.append(resources.certificate)
    app.cleanup_ctx.extend((resources.records, resources.keeper))
    app.on_shutdown.append(draining.end_streams)
    if settings.tracing:
        from server.worker.tracing.sending import TraceBuffer  # noqa: PLC0415 - only then

        buffer, scheme = TraceBuffer(keeper), "http" if credentials.certificate is None else "https"
        tracer = app[TRACER] = Tracer(settings.tracing_ratio, buffer.keep, scheme)
        app.middlewares.insert(0, tracing(tracer))
        app.cleanup_ctx.append(buffer.sending)
    add_routes(app)
    return app
