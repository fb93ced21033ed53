"""What handlers find in the application."""

from __future__ import annotations

from aiohttp import web

from core.batching import Batcher
from core.breaker import Breaker
from core.journal import Journal
from core.registry import Registry
from core.routing import Question
from server.access import Access
from server.admission import Admission
from server.clock import Clock
from server.draining import Draining
from server.errors import Refusals
from server.keeper.audit import Audit
from server.keeper.keeper import Keeper
from server.link import Link
from server.metrics import Metrics
from server.predictor import Predictor, Result
from server.settings import Settings
from server.shadow import Shadow
from server.tls import Certificate

SETTINGS = web.AppKey("settings", Settings)
REGISTRY = web.AppKey("registry", Registry)
LINK = web.AppKey("link", Link)
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
BREAKER = web.AppKey("breaker", Breaker)
PREDICTOR = web.AppKey("predictor", Predictor)
BATCHER: web.AppKey[Batcher[Question, Result]] = web.AppKey("batcher", Batcher)
KEEPER = web.AppKey("keeper", Keeper)
AUDIT = web.AppKey("audit", Audit)
CERTIFICATE = web.AppKey("certificate", Certificate)
