"""The server, its health, and the versions over gRPC: what REST answers, as messages."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from aiohttp import web
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from core.inference.detector import Detector
from core.serving.registry import Registry
from server.api.schemas.open_inference import MODEL
from server.grpc import open_inference_pb2 as pb
from server.grpc.calls import Call, CallAnswer
from server.grpc.messages import parsed
from server.open_inference import models
from server.open_inference.inference import check_model
from server.worker.app_keys import METRICS, REGISTRY
from server.worker.metrics import Metrics
from server.worker.open_inference.infer import InferenceService
from server.worker.open_inference.readiness import Readiness
from server.worker.open_inference.statistics import statistics

M = TypeVar("M", bound=Message)


class ModelCalls:
    """Answers the calls that change nothing."""

    def __init__(self, app: web.Application) -> None:
        self._registry: Registry = app[REGISTRY]
        self._metrics: Metrics = app[METRICS]
        self._readiness = Readiness.of(app)
        self._service = InferenceService.of(app)

    async def live(self, _: Call) -> CallAnswer:
        """ServerLive: as GET /v2/health/live. Its message is not read: strangers could send 32 MiB with each call."""
        return _answer(pb.ServerLiveResponse(live=True))

    async def ready(self, _: Call) -> CallAnswer:
        """ServerReady: as GET /v2/health/ready. Its message is not read, either."""
        return _answer(pb.ServerReadyResponse(ready=self._readiness.of_server()))

    async def model_ready(self, call: Call) -> CallAnswer:
        """ModelReady: as GET /v2/models/{model}/ready."""
        request = await _read(call, pb.ModelReadyRequest)
        check_model(request.name)
        version = request.version or None
        self._service.check_version(version)
        return _answer(pb.ModelReadyResponse(ready=self._readiness.of_version(version)))

    async def server(self, call: Call) -> CallAnswer:
        """ServerMetadata: as GET /v2."""
        await _read(call, pb.ServerMetadataRequest)
        return _answer(ParseDict(models.server(), pb.ServerMetadataResponse()))

    async def metadata(self, call: Call) -> CallAnswer:
        """ModelMetadata: as GET /v2/models/{model}."""
        request = await _read(call, pb.ModelMetadataRequest)
        manifest = self._detector(request.name, request.version).manifest
        told = models.metadata(manifest, [*self._registry.snapshot.detectors])
        return _answer(ParseDict(told, pb.ModelMetadataResponse()))

    async def configuration(self, call: Call) -> CallAnswer:
        """ModelConfig: as GET /v2/models/{model}/config."""
        request = await _read(call, pb.ModelConfigRequest)
        told = models.configuration(self._detector(request.name, request.version).manifest)
        return _answer(ParseDict({"config": told}, pb.ModelConfigResponse()))

    async def statistics(self, call: Call) -> CallAnswer:
        """ModelStatistics: as GET /v2/models/{model}/stats. No name stands for all models."""
        request = await _read(call, pb.ModelStatisticsRequest)
        check_model(request.name or MODEL)
        self._service.check_version(request.version or None)
        self._metrics.inference.flush()
        families = await asyncio.to_thread(self._metrics.families)
        versions = [request.version] if request.version else [*self._registry.snapshot.detectors]
        return _answer(ParseDict(statistics(families, MODEL, versions), pb.ModelStatisticsResponse()))

    async def index(self, call: Call) -> CallAnswer:
        """RepositoryIndex: as POST /v2/repository/index."""
        request = await _read(call, pb.RepositoryIndexRequest)
        entries = await asyncio.to_thread(self._registry.entries)
        told: dict[str, Any] = {"models": models.index(entries, ready=request.ready)}
        return _answer(ParseDict(told, pb.RepositoryIndexResponse()))

    def _detector(self, model: str, version: str) -> Detector:
        """A version, or the active one. Raises NotFound, UnknownVersion or ModelUnavailable."""
        check_model(model)
        return self._registry.snapshot.choose(version or None, "version")


async def _read(call: Call, kind: type[M]) -> M:
    return parsed(kind, await call.message())


def _answer(message: Message) -> CallAnswer:
    return CallAnswer(message.SerializeToString())
