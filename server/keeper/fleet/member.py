"""The connection to one worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import WSCloseCode, WSMsgType, web

from core.serving.state import Served, State
from server.protocol.messages import ToKeeper, ToWorker, decode_for_keeper, encode
from server.protocol.pages import AskWindow, FoundWindow, Watch, Watched

if TYPE_CHECKING:
    from server.keeper.fleet.members import Members


class GivenState(NamedTuple):
    """A state that is already decided. to_all: it was given to all workers, not to one that joins the others."""

    state: State
    order: tuple[str, ...]
    to_all: bool


class Member:
    """The connection to one worker. Messages are sent in order, and a slow worker delays no other."""

    def __init__(self, websocket: web.WebSocketResponse, name: str, members: Members) -> None:
        self.name = name
        # By the number of the change: what it was given and does not serve yet, and what it has prepared.
        self.given: dict[int, GivenState] = {}
        self.ready: dict[int, Served] = {}
        self.served: Served | None = None  # as it last confirmed
        # What it was asked to serve like the others, after it had loaded something else.
        self.told: Served | None = None
        self._members = members
        self._websocket = websocket
        self._outgoing: asyncio.Queue[ToWorker] = asyncio.Queue()
        self._awaited: dict[tuple[type[ToKeeper], int], asyncio.Future[ToKeeper | None]] = {}
        self._disconnected = False

    @property
    def process(self) -> str:
        """The worker's process id, as the files of metrics have it."""
        return self.name.rpartition(" ")[2]

    @property
    def is_lost(self) -> bool:
        """Whether the connection ended without a closing message, as that of a killed worker does."""
        return self._websocket.close_code == WSCloseCode.ABNORMAL_CLOSURE

    def send(self, message: ToWorker) -> None:
        """Queue a message."""
        self._outgoing.put_nowait(message)

    def ask(self, question: Watch | AskWindow) -> asyncio.Future[ToKeeper | None]:
        """Ask the worker for an open page; the result is that of `expect`."""
        self.send(question)
        return self.expect(Watched if isinstance(question, Watch) else FoundWindow, question.question)

    def expect(self, kind: type[ToKeeper], change: int) -> asyncio.Future[ToKeeper | None]:
        """A future of the worker's answer of this kind; its result is None if the worker disconnects."""
        future: asyncio.Future[ToKeeper | None] = asyncio.get_running_loop().create_future()
        if self._disconnected:
            future.set_result(None)
        else:
            self._awaited[kind, change] = future
        return future

    def confirm(self, change: int) -> None:
        """Take note that the worker serves a change, which replaces all earlier ones."""
        self.served = self.ready.get(change, self.served)
        self.given = {number: given for number, given in self.given.items() if number > change}
        self.ready = {number: served for number, served in self.ready.items() if number > change}

    async def serve(self) -> None:
        """Exchange messages until the worker disconnects."""
        sender = asyncio.create_task(self._send_all())
        try:
            async for message in self._websocket:
                if message.type == WSMsgType.TEXT:
                    answer = decode_for_keeper(message.data)
                    if isinstance(answer, Watched | FoundWindow):
                        number = answer.question
                    else:
                        number = answer.change
                        self._members.heard(self, answer)
                    waiting = self._awaited.pop((type(answer), number), None)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(answer)
        finally:
            self._disconnected = True
            self.given.clear()
            sender.cancel()
            for future in self._awaited.values():
                if not future.done():
                    future.set_result(None)

    async def _send_all(self) -> None:
        while True:
            message = await self._outgoing.get()
            await self._websocket.send_str(encode(message).decode())
