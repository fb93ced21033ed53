"""Application keys of a worker."""

from __future__ import annotations

from aiohttp import web

from core.journals.journal import Journal
from core.serving.batching import Batcher
from core.serving.circuit_breaker import CircuitBreaker
from core.serving.registry import Registry
from core.serving.routing import Question, Result
from server.worker.draining import Draining
from server.worker.explainer import Explainer
from server.worker.metrics import Metrics
from server.worker.predictor import Predictor
from server.worker.shadow import Shadow
from server.worker.upstream.keeper_client import KeeperClient
from server.worker.upstream.state_follower import StateFollower

REGISTRY = web.AppKey("registry", Registry)
STATE_FOLLOWER = web.AppKey("state_follower", StateFollower)
KEEPER_CLIENT = web.AppKey("keeper_client", KeeperClient)
METRICS = web.AppKey("metrics", Metrics)
JOURNAL = web.AppKey("journal", Journal)
SHADOW = web.AppKey("shadow", Shadow)
EXPLAINER = web.AppKey("explainer", Explainer)
DRAINING = web.AppKey("draining", Draining)
CIRCUIT_BREAKER = web.AppKey("breaker", CircuitBreaker)
PREDICTOR = web.AppKey("predictor", Predictor)
BATCHER: web.AppKey[Batcher[Question, Result]] = web.AppKey("batcher", Batcher)
