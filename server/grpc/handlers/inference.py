"""Predictions over gRPC."""

from __future__ import annotations

from functools import partial

from server.grpc import messages
from server.grpc.calls import Answer, Call
from server.grpc.handlers.gathering import GatheringBatcher
from server.open_inference.inference import check_model
from server.worker.app import MAX_BATCHED
from server.worker.open_inference.infer import InferenceService


class InferenceCalls:
    """Answers ModelInfer."""

    def __init__(self, service: InferenceService) -> None:
        self._together = GatheringBatcher(service.batcher, MAX_BATCHED)
        self._service = service._replace(batcher=self._together)

    async def infer(self, call: Call) -> Answer:
        """ModelInfer: as POST /v2/models/{model}/infer."""
        self._together.begin()
        try:
            return await self._infer(call)
        finally:
            self._together.end()

    async def _infer(self, call: Call) -> Answer:
        service = self._service
        service.check()
        request = messages.request_of(await call.message())
        check_model(request.model_name)
        written, timing = await service.infer(
            partial(messages.inference, request),
            lambda answer: messages.encoded(answer, raw=messages.is_raw(request)),
            until=call.until,
            request_id=call.request_id,
            version=request.model_version or None,
        )
        return Answer(written, timing)
