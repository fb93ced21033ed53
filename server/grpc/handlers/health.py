"""The standard health service, for load balancers and probes: whether this worker is ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from core.errors import Overloaded
from server.grpc.calls import SERVICE, Call, CallAnswer
from server.grpc.messages import parsed
from server.http.errors import NotFound
from server.worker.open_inference.readiness import Readiness

HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
# The interval in which clients that watch learn of a change. A client that asks gets the present state.
_LOOK_SECONDS = 0.2
_NAMES = ("", SERVICE)
# Calls that watch. They need no token and do not end, and behind its message a client can send 64 KiB on each of them,
# which are not read: for all of them, 64 MiB.
_MOST_WATCHING = 1_000
_RETRY_SECONDS = 10


class Health:
    """Answers for the server, with an empty name, and for the service of the protocol. Both say the same.

    The library's own has a lock that a client takes which watches and does not read: the state of all others then
    stays as it was. And calls that watch never end there, so that each shutdown would wait for them.
    """

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness
        self._ended = False
        self._watching = 0
        self._status = self._present()
        self._changed = asyncio.Event()

    async def check(self, call: Call) -> CallAnswer:
        """Check: the present state."""
        request = parsed(HealthCheckRequest, await call.message())
        if request.service not in _NAMES:
            raise NotFound("unknown service")
        return CallAnswer(HealthCheckResponse(status=self._present()).SerializeToString())

    async def watch(self, call: Call) -> CallAnswer:
        """Watch: the state, and each change of it. The call ends with the port."""
        if self._watching >= _MOST_WATCHING:
            raise Overloaded("too many calls that watch the health", _RETRY_SECONDS)
        self._watching += 1
        try:
            request = parsed(HealthCheckRequest, await call.message())
            await self._watch(call, known=request.service in _NAMES)
        finally:
            self._watching -= 1
        return CallAnswer(b"")

    async def _watch(self, call: Call, *, known: bool) -> None:
        told: int | None = None
        while True:
            changed, ended = self._changed, self._ended
            status = self._status if known else HealthCheckResponse.SERVICE_UNKNOWN
            if status != told:
                await call.context.write(HealthCheckResponse(status=status).SerializeToString())
                told = status
            if ended:
                return
            await changed.wait()

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow the state until the block ends; then it is NOT_SERVING, and the calls that watch end."""
        self._look()
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self._ended = True
            self._tell(HealthCheckResponse.NOT_SERVING)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._look()

    def _look(self) -> None:
        status = self._present()
        if status != self._status:
            self._tell(status)

    def _tell(self, status: int) -> None:
        self._status = status
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _present(self) -> int:
        closing = self._ended or self._readiness.draining.closing
        ready = self._readiness.of_server() and not closing
        return HealthCheckResponse.SERVING if ready else HealthCheckResponse.NOT_SERVING
