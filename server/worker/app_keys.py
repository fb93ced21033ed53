"""What handlers find in the application."""

from __future__ import annotations

from aiohttp import web

from core.journals.journal import Journal
from core.serving.batching import Batcher
from core.serving.circuit_breaker import CircuitBreaker
from core.serving.registry import Registry
from core.serving.routing import Question
from server.auth.access import Access
from server.auth.tls import Certificate
from server.http.admission import Admission
from server.http.clock import Clock
from server.http.errors import Refusals
from server.keeper.audit import Audit
from server.keeper.keeper import Keeper
from server.settings import Settings
from server.worker.draining import Draining
from server.worker.keeper_client import KeeperClient
from server.worker.metrics import Metrics
from server.worker.predictor import Predictor, Result
from server.worker.shadow import Shadow

SETTINGS = web.AppKey("settings", Settings)
REGISTRY = web.AppKey("registry", Registry)
KEEPER_CLIENT = web.AppKey("link", KeeperClient)
CLOCK = web.AppKey("clock", Clock)
ACCESS = web.AppKey("access", Access)
# Of a request: the name of who sends it.
CALLER = web.RequestKey("caller", str)
REFUSALS = web.AppKey("refusals", Refusals)
METRICS = web.AppKey("metrics", Metrics)
JOURNAL = web.AppKey("journal", Journal)
SHADOW = web.AppKey("shadow", Shadow)
DRAINING = web.AppKey("draining", Draining)
ADMISSION = web.AppKey("admission", Admission)
BATCH_ADMISSION = web.AppKey("batch_admission", Admission)
CIRCUIT_BREAKER = web.AppKey("breaker", CircuitBreaker)
PREDICTOR = web.AppKey("predictor", Predictor)
BATCHER: web.AppKey[Batcher[Question, Result]] = web.AppKey("batcher", Batcher)
KEEPER = web.AppKey("keeper", Keeper)
AUDIT = web.AppKey("audit", Audit)
CERTIFICATE = web.AppKey("certificate", Certificate)
