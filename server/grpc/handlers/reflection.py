"""The standard reflection service, which describes the calls to tools such as grpcurl."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import perf_counter

from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest

from core.errors import DeadlineExceeded, Overloaded
from server.grpc.calls import SERVICE, Call, CallAnswer
from server.grpc.handlers.health import HEALTH
from server.grpc.messages import parsed

REFLECTION: str = reflection.SERVICE_NAME


class Reflection:
    """Answers with the library's own descriptions, message by message."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: the longest time that a client may take for its next question."""
        self._descriptions = reflection.aio.ReflectionServicer((SERVICE, HEALTH, REFLECTION))
        self._seconds = seconds

    async def describe(self, call: Call) -> CallAnswer:
        """ServerReflectionInfo: as GET /openapi.json."""
        asked = self._descriptions.ServerReflectionInfo(self._questions(call), call.context)
        async for answer in asked:  # type: ignore[attr-defined] # its stubs have a coroutine
            await call.context.write(answer.SerializeToString())
        return CallAnswer(b"")

    async def _questions(self, call: Call) -> AsyncIterator[ServerReflectionRequest]:
        """The messages of a call until its client ends, or is silent for too long. Tools begin another call then.

        A client that is silent may be sending a message that does not end, so it counts as a late one.
        """
        found: bytes | None = await call.message()
        while found is not None:
            yield parsed(ServerReflectionRequest, found)
            try:
                found = await call.next_message(perf_counter() + self._seconds)
            except (DeadlineExceeded, Overloaded):
                return
