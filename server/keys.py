"""What handlers find in the application."""

from __future__ import annotations

from aiohttp import web

from core.batching import Batcher
from core.journal import Journal
from core.registry import Registry
from core.routing import Question
from server.clock import Clock
from server.keeper.keeper import Keeper
from server.link import Link
from server.metrics import Metrics
from server.predictor import Predictor, Result
from server.settings import Settings
from server.shadow import Shadow

SETTINGS = web.AppKey("settings", Settings)
REGISTRY = web.AppKey("registry", Registry)
LINK = web.AppKey("link", Link)
CLOCK = web.AppKey("clock", Clock)
METRICS = web.AppKey("metrics", Metrics)
JOURNAL = web.AppKey("journal", Journal)
SHADOW = web.AppKey("shadow", Shadow)
PREDICTOR = web.AppKey("predictor", Predictor)
BATCHER: web.AppKey[Batcher[Question, Result]] = web.AppKey("batcher", Batcher)
KEEPER = web.AppKey("keeper", Keeper)
