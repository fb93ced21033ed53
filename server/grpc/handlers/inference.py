"""Predictions over gRPC."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial

from aiohttp import web

from server.grpc import messages
from server.grpc.calls import Call, CallAnswer
from server.grpc.handlers.gathering import GatheringBatcher
from server.http.app_keys import BODY_MEMORY
from server.http.bodies import sizes
from server.http.bodies.body import LARGE
from server.open_inference.answers import answer
from server.open_inference.inference import check_model
from server.worker.app import MAX_BATCHED
from server.worker.open_inference.infer import InferenceService


class InferenceCalls:
    """Answers ModelInfer."""

    def __init__(self, app: web.Application) -> None:
        service = InferenceService.of(app)
        self._memory = app[BODY_MEMORY]
        self._together = GatheringBatcher(service.batcher, MAX_BATCHED)
        self._service = service._replace(batcher=self._together)

    async def infer(self, call: Call) -> CallAnswer:
        """ModelInfer: as POST /v2/models/{model}/infer."""
        self._together.begin()
        try:
            return await self._infer(call)
        finally:
            self._together.end()

    async def _infer(self, call: Call) -> CallAnswer:
        service = self._service
        service.check()
        message = await call.message(sizes.TENSORS)
        with ExitStack() as places:
            if len(message) > LARGE:
                self._take_memory(len(message), places)
            request = messages.request_of(message)
            check_model(request.model_name)
            service.check_version(request.model_version or None)
            written, timing = await service.infer(
                partial(messages.inference, request),
                lambda *found: messages.encoded(answer(*found), raw=messages.is_raw(request)),
                until=call.until,
                request_id=call.request_id,
                version=request.model_version or None,
            )
        return CallAnswer(written, timing)

    def _take_memory(self, size: int, places: ExitStack) -> None:
        """Count a large message with the bodies of HTTP. Raises Overloaded if there is no room."""
        share = self._memory.share(time.monotonic(), lambda: None)
        places.callback(share.end)
        share.take(size)
        share.arrived()
