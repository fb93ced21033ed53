"""Predictions by the Open Inference Protocol."""

from __future__ import annotations

from contextlib import ExitStack

from aiohttp import web

from server.http.app_keys import SETTINGS
from server.http.bodies.body import read_tensors
from server.http.deadline import deadline
from server.http.request_log.request_ids import id_of
from server.open_inference import rest
from server.open_inference.bodies import written
from server.open_inference.inference import check_model
from server.worker.open_inference.infer import InferenceService


async def infer(request: web.Request) -> web.Response:
    """POST /v2/models/{model}/infer, and the same for a version by name."""
    service = InferenceService.of(request.app)
    service.check()
    until = deadline(request.headers, request.app[SETTINGS].request_timeout_ms)
    check_model(request.match_info["model"])
    version = request.match_info.get("version")
    service.check_version(version)
    with ExitStack() as places:
        body = await read_tensors(request, until, places)
        header = request.headers.get(rest.HEADER)
        answer, timing = await service.infer(
            lambda: rest.inference(body, header, version),
            written,
            until=until,
            request_id=id_of(request),
            version=version,
        )
    headers = {"Content-Type": answer.content_type}
    if answer.header is not None:
        headers[rest.HEADER] = answer.header
    if timing:
        headers["Server-Timing"] = timing
    return web.Response(body=answer.body, headers=headers)
