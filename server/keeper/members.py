"""The workers of this machine, which make every step of a change together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import suppress

from aiohttp import WSCloseCode, WSMsgType, web

from core.errors import StoreUnavailable
from core.serving.state import Action, Replaced, State
from server.protocol.messages import (
    Abort,
    Announce,
    Applied,
    Apply,
    Prepare,
    Ready,
    Relayed,
    ToKeeper,
    ToWorker,
    decode_for_keeper,
    encode,
)

log = logging.getLogger(__name__)

# The HTTP contract: if a worker does not confirm within this time, nothing is changed.
CONFIRM_SECONDS = 10.0
# After a change is undone, the 503 is delayed until all workers serve the previous state, for at most this long.
TAKE_BACK_SECONDS = 1.0
# The least time for applying, even if preparing and the store took nearly all of CONFIRM_SECONDS.
LEAST_SECONDS = 1.0


class Member:
    """The connection to one worker. Messages are sent in order, and a slow worker delays no other."""

    def __init__(self, websocket: web.WebSocketResponse, name: str, members: Members) -> None:
        self.name = name
        self._members = members
        self._websocket = websocket
        self._outgoing: asyncio.Queue[ToWorker] = asyncio.Queue()
        self._awaited: dict[tuple[type[ToKeeper], int], asyncio.Future[ToKeeper | None]] = {}
        self._disconnected = False

    @property
    def is_lost(self) -> bool:
        """Whether the connection ended without a closing message, as that of a killed worker does."""
        return self._websocket.close_code == WSCloseCode.ABNORMAL_CLOSURE

    def send(self, message: ToWorker) -> None:
        """Queue a message."""
        self._outgoing.put_nowait(message)

    def expect(self, kind: type[ToKeeper], change: int) -> asyncio.Future[ToKeeper | None]:
        """A future of the worker's answer of this kind; its result is None if the worker disconnects."""
        future: asyncio.Future[ToKeeper | None] = asyncio.get_running_loop().create_future()
        if self._disconnected:
            future.set_result(None)
        else:
            self._awaited[kind, change] = future
        return future

    async def serve(self) -> None:
        """Exchange messages until the worker disconnects."""
        sender = asyncio.create_task(self._send_all())
        try:
            async for message in self._websocket:
                if message.type == WSMsgType.TEXT:
                    answer = decode_for_keeper(message.data)
                    if isinstance(answer, Applied):
                        self._members.active = answer.active
                        if answer.replaced:
                            self._members.replaced.put_nowait(answer.replaced)
                    waiting = self._awaited.pop((type(answer), answer.change), None)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(answer)
        finally:
            self._disconnected = True
            sender.cancel()
            for future in self._awaited.values():
                if not future.done():
                    future.set_result(None)

    async def _send_all(self) -> None:
        while True:
            message = await self._outgoing.get()
            await self._websocket.send_str(encode(message).decode())


class Members:
    """All connected workers."""

    def __init__(self) -> None:
        self.active: str | None = None  # the version that answers, as a worker last reported
        self.replaced: asyncio.Queue[tuple[Replaced, ...]] = asyncio.Queue()  # as each worker finds them
        self.lost = 0  # workers that were killed, crashed or stalled
        self._members: set[Member] = set()
        self._change = 0
        self._until = 0.0  # when the change in progress must be confirmed
        self._stopping = False

    def __len__(self) -> int:
        return len(self._members)

    @property
    def connected(self) -> frozenset[Member]:
        """The workers that are connected now."""
        return frozenset(self._members)

    def add(self, member: Member, state: State, order: tuple[str, ...]) -> None:
        """Add a worker and send it the current state."""
        self._members.add(member)
        self._change += 1
        self._give(member, state, order)
        if self._stopping:
            member.send(Announce())

    def announce(self) -> None:
        """Make every worker announce to clients that the server will stop."""
        self._stopping = True
        for member in self._members:
            member.send(Announce())

    def give(self, state: State, order: tuple[str, ...]) -> int:
        """Send every worker a state that is already decided, to prepare and apply; returns the change's number."""
        self._change += 1
        for member in self._members:
            self._give(member, state, order)
        return self._change

    def _give(self, member: Member, state: State, order: tuple[str, ...]) -> None:
        member.send(Prepare(self._change, state, order))
        member.send(Apply(self._change))

    async def take_back(self, state: State, order: tuple[str, ...]) -> None:
        """Make every worker serve the previous state again; a slow worker follows when it can."""
        with suppress(StoreUnavailable):
            await self._answers(tuple(self._members), Applied, self.give(state, order), TAKE_BACK_SECONDS)

    async def confirmed(self, change: int) -> None:
        """Wait until every worker serves the state of a change. Raises StoreUnavailable if one does not in time.

        Call it before awaiting anything else: an answer that comes earlier is not kept.
        """
        await self._answers(tuple(self._members), Applied, change)

    def remove(self, member: Member) -> None:
        """Remove a worker that has disconnected. One that ends as it should closes its connection properly."""
        self._members.discard(member)
        self.lost += member.is_lost

    async def prepare(self, state: State, order: tuple[str, ...], action: Action | None) -> int:
        """Make every worker load what the state needs; returns the change's number.

        Raises the first refusal, or StoreUnavailable if a worker does not answer in time. The change is then aborted.
        """
        self._change += 1
        self._until = time.monotonic() + CONFIRM_SECONDS
        change, members = self._change, tuple(self._members)
        if not members:
            raise StoreUnavailable("no worker is running: nothing is changed")
        for member in members:
            member.send(Prepare(change, state, order, action))
        try:
            answers = await self._answers(members, Ready, change)
        except BaseException:
            self.abort(change)
            raise
        for answer in answers:
            if isinstance(answer, Ready) and answer.code is not None:
                self.abort(change)
                raise Relayed(answer.code, answer.message)
        if not answers:
            raise StoreUnavailable("all workers ended: nothing is changed")
        return change

    def abort(self, change: int) -> None:
        """Make every worker discard what it prepared."""
        for member in self._members:
            member.send(Abort(change))

    async def apply(self, change: int) -> None:
        """Make every worker serve what it prepared.

        Raises StoreUnavailable if a worker does not confirm in time. Other workers may serve the change by then.
        """
        seconds = max(LEAST_SECONDS, self._until - time.monotonic())
        members = tuple(self._members)
        for member in members:
            member.send(Apply(change, time.monotonic() + seconds))
        await self._answers(members, Applied, change, seconds)

    @staticmethod
    async def _answers(
        members: Iterable[Member], kind: type[ToKeeper], change: int, seconds: float | None = None
    ) -> list[ToKeeper]:
        """Wait for the answers of the workers; a worker that disconnects gives none. Raises StoreUnavailable."""
        futures = {member.expect(kind, change): member for member in members}
        if not futures:
            return []
        done, late = await asyncio.wait(futures, timeout=seconds or CONFIRM_SECONDS)
        if late:
            names = ", ".join(sorted(futures[future].name for future in late))
            raise StoreUnavailable(f"{names} did not confirm within {CONFIRM_SECONDS:g} s: nothing is changed")
        return [answer for future in done if (answer := future.result()) is not None]
