"""A worker whose messages the test sends itself."""

from __future__ import annotations

from aiohttp import ClientWebSocketResponse

from server.protocol.messages import (
    Abort,
    Applied,
    Apply,
    Prepare,
    Ready,
    ToKeeper,
    decode_for_worker,
    encode,
)


class ScriptedWorker:
    """A worker that the test controls, beside the regular worker of the `client` fixture."""

    def __init__(self, websocket: ClientWebSocketResponse) -> None:
        self._websocket = websocket

    async def receive(self) -> Prepare | Apply | Abort:
        message = decode_for_worker(await self._websocket.receive_str(timeout=10))
        assert isinstance(message, Prepare | Apply | Abort)
        return message

    async def join(self) -> None:
        """Serve the state that the keeper gives at the beginning."""
        given = await self.receive()
        assert isinstance(given, Prepare)
        await self.send(Ready(given.change))
        assert await self.receive() == Apply(given.change)
        await self.send(Applied(given.change, "v1"))

    async def send(self, message: ToKeeper) -> None:
        await self._websocket.send_str(encode(message).decode())

    async def disconnect(self) -> None:
        await self._websocket.close()
