"""The standard health service, for load balancers and probes: whether this worker is ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import grpc
from grpc_health.v1 import health, health_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from server.grpc.calls import SERVICE
from server.worker.open_inference.readiness import Readiness

Context: TypeAlias = "grpc.aio.ServicerContext[HealthCheckRequest, HealthCheckResponse]"

HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
# The interval in which clients that watch learn of a change. A client that asks gets the present state.
_LOOK_SECONDS = 0.2


class Health(health.aio.HealthServicer):
    """Answers for the server, with an empty name, and for the service of the protocol. Both say the same."""

    def __init__(self, readiness: Readiness) -> None:
        super().__init__()
        self._readiness = readiness
        self._told: int | None = None

    async def Check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:  # noqa: N802
        """The present state."""
        await self.refresh()
        return await super().Check(request, context)

    async def refresh(self) -> None:
        """Tell the clients that watch, if the state has changed."""
        ready = self._readiness.of_server() and not self._readiness.draining.closing
        status = HealthCheckResponse.SERVING if ready else HealthCheckResponse.NOT_SERVING
        if status != self._told:
            self._told = status
            for name in ("", SERVICE):
                await self.set(name, status)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow the state until the block ends."""
        await self.refresh()
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.refresh()
