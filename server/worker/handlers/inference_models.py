"""The Open Inference Protocol's view of the server, its health, and the versions."""

from __future__ import annotations

import asyncio

import msgspec
import orjson
from aiohttp import web

from core.errors import UnknownVersion
from core.inference.detector import Detector
from core.serving.snapshot import Snapshot
from server.api.schemas.open_inference import MODEL, RepositoryIndex
from server.http.bodies.body import read_bytes
from server.http.envelope import bare
from server.open_inference import models, rest
from server.open_inference.inference import check_model
from server.worker.app_keys import CIRCUIT_BREAKER, METRICS, REGISTRY
from server.worker.handlers.health import unready
from server.worker.open_inference.statistics import statistics

_UNAVAILABLE = 503

_index_decoder = msgspec.json.Decoder(RepositoryIndex)


async def show_server(request: web.Request) -> web.Response:  # noqa: ARG001 - the same for every request
    """GET /v2."""
    return bare(models.server())


async def live(request: web.Request) -> web.Response:  # noqa: ARG001 - any answer shows that the process lives
    """GET /v2/health/live."""
    return bare({"live": True})


async def ready(request: web.Request) -> web.Response:
    """GET /v2/health/ready: as /readyz."""
    is_ready = unready(request) is None
    return bare({"ready": is_ready}, 200 if is_ready else _UNAVAILABLE)


async def model_ready(request: web.Request) -> web.Response:
    """GET /v2/models/{model}/ready, and the same for a version by name."""
    check_model(request.match_info["model"])
    version = request.match_info.get("version")
    if version is not None:
        _check_known(request.app[REGISTRY].snapshot, version)
    is_ready = _can_answer(request, version)
    return bare({"name": MODEL, "ready": is_ready}, 200 if is_ready else _UNAVAILABLE)


async def show_model(request: web.Request) -> web.Response:
    """GET /v2/models/{model}, and the same for a version by name."""
    versions = [*request.app[REGISTRY].snapshot.detectors]
    return bare(models.metadata(_detector(request).manifest, versions))


async def show_configuration(request: web.Request) -> web.Response:
    """GET /v2/models/{model}/config, and the same for a version by name."""
    return bare(models.configuration(_detector(request).manifest))


async def show_statistics(request: web.Request) -> web.Response:
    """GET /v2/models/stats, /v2/models/{model}/stats, and the latter for a version by name."""
    check_model(request.match_info.get("model", MODEL))
    snapshot, metrics = request.app[REGISTRY].snapshot, request.app[METRICS]
    version = request.match_info.get("version")
    if version is not None:
        _check_known(snapshot, version)
    metrics.inference.flush()
    families = await asyncio.to_thread(metrics.families)
    return bare(statistics(families, MODEL, [*snapshot.detectors] if version is None else [version]))


async def show_index(request: web.Request) -> web.Response:
    """POST /v2/repository/index."""
    wanted = rest.optional(_index_decoder, await read_bytes(request))
    entries = await asyncio.to_thread(request.app[REGISTRY].entries)
    body = orjson.dumps(models.index(entries, ready=wanted.ready))
    return web.Response(body=body, content_type="application/json")


def _detector(request: web.Request) -> Detector:
    """The version that the path names, or the active one. Raises NotFound, UnknownVersion or ModelUnavailable."""
    check_model(request.match_info["model"])
    return request.app[REGISTRY].snapshot.choose(request.match_info.get("version"), "version")


def _check_known(snapshot: Snapshot, version: str) -> None:
    if version not in snapshot.known:
        raise UnknownVersion(version, snapshot.known)


def _can_answer(request: web.Request, version: str | None) -> bool:
    """Whether a version can answer; without a version, whether the active one is loaded and any can answer."""
    snapshot, breaker = request.app[REGISTRY].snapshot, request.app[CIRCUIT_BREAKER]
    if version is not None:
        detector = snapshot.detectors.get(version)
        return detector is not None and breaker.reason(detector) is None
    is_loaded = snapshot.active is not None and snapshot.missing is None
    return is_loaded and not all(breaker.reason(each) for each in snapshot.detectors.values())
