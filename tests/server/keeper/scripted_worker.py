"""A worker whose part in a change the test plays."""

from __future__ import annotations

from aiohttp import ClientWebSocketResponse

from server.protocol.messages import (
    Abort,
    Announce,
    Apply,
    Prepare,
    ToKeeper,
    ToWorker,
    decode_for_worker,
    encode,
)


class ScriptedWorker:
    """A worker that does what the test says, beside the one of the `client` fixture that does as it should."""

    def __init__(self, websocket: ClientWebSocketResponse) -> None:
        self._websocket = websocket

    async def hears(self) -> Prepare | Apply | Abort:
        message: ToWorker = decode_for_worker(await self._websocket.receive_str(timeout=10))
        assert not isinstance(message, Announce)
        return message

    async def says(self, message: ToKeeper) -> None:
        await self._websocket.send_str(encode(message).decode())

    async def goes(self) -> None:
        await self._websocket.close()
