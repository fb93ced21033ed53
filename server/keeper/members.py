"""The workers of this machine, which take every step of a change together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import suppress

from aiohttp import WSMsgType, web

from core.errors import StoreUnavailable
from core.serving.state import Action, State
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

# The contract's: no confirmation from all workers within this time, and nothing is changed.
CONFIRM_SECONDS = 10.0
# When a change is taken back: so long for those that do answer to serve what was before, ahead of the caller's 503.
TAKE_BACK_SECONDS = 1.0
# What is left for applying where preparing or the store took nearly all of it.
LEAST_SECONDS = 1.0


class Member:
    """One worker's connection. What is sent goes out in order, and nobody waits for a slow one."""

    def __init__(self, websocket: web.WebSocketResponse, name: str, members: Members) -> None:
        self.name = name
        self._members = members
        self._websocket = websocket
        self._outgoing: asyncio.Queue[ToWorker] = asyncio.Queue()
        self._awaited: dict[tuple[type[ToKeeper], int], asyncio.Future[ToKeeper | None]] = {}
        self._gone = False

    def send(self, message: ToWorker) -> None:
        """Queue a message."""
        self._outgoing.put_nowait(message)

    def expect(self, kind: type[ToKeeper], change: int) -> asyncio.Future[ToKeeper | None]:
        """The worker's answer of this kind; null where it has gone."""
        future: asyncio.Future[ToKeeper | None] = asyncio.get_running_loop().create_future()
        if self._gone:
            future.set_result(None)
        else:
            self._awaited[kind, change] = future
        return future

    async def serve(self) -> None:
        """Exchange messages until the worker goes."""
        sender = asyncio.create_task(self._send_all())
        try:
            async for message in self._websocket:
                if message.type == WSMsgType.TEXT:
                    answer = decode_for_keeper(message.data)
                    if isinstance(answer, Applied):
                        self._members.active = answer.active
                    waiting = self._awaited.pop((type(answer), answer.change), None)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(answer)
        finally:
            self._gone = True
            sender.cancel()
            for future in self._awaited.values():
                if not future.done():
                    future.set_result(None)

    async def _send_all(self) -> None:
        while True:
            message = await self._outgoing.get()
            await self._websocket.send_str(encode(message).decode())


class Members:
    """All workers that are connected."""

    def __init__(self) -> None:
        self.active: str | None = None  # the version that answers, as the workers last said
        self._members: set[Member] = set()
        self._change = 0
        self._until = 0.0  # of the change that is prepared
        self._stopping = False

    def __len__(self) -> int:
        return len(self._members)

    def add(self, member: Member, state: State, order: tuple[str, ...]) -> None:
        """Take a worker in and give it the present state."""
        self._members.add(member)
        self._change += 1
        self._give(member, state, order)
        if self._stopping:
            member.send(Announce())

    def announce(self) -> None:
        """Let every worker tell that the server will stop."""
        self._stopping = True
        for member in self._members:
            member.send(Announce())

    def give(self, state: State, order: tuple[str, ...]) -> int:
        """Send every worker a state that is decided already; returns the change's number."""
        self._change += 1
        for member in self._members:
            self._give(member, state, order)
        return self._change

    def _give(self, member: Member, state: State, order: tuple[str, ...]) -> None:
        member.send(Prepare(self._change, state, order))
        member.send(Apply(self._change))

    async def take_back(self, state: State, order: tuple[str, ...]) -> None:
        """Let every worker serve again what was before; those that are late will when they can."""
        with suppress(StoreUnavailable):
            await self._answers(tuple(self._members), Applied, self.give(state, order), TAKE_BACK_SECONDS)

    async def confirmed(self, change: int) -> None:
        """Wait until every worker serves what it was given. Raises StoreUnavailable where one does not in time.

        To be called before anything else is awaited: nobody remembers an answer that nobody waits for.
        """
        await self._answers(tuple(self._members), Applied, change)

    def remove(self, member: Member) -> None:
        """The worker has gone; nobody waits for it any more."""
        self._members.discard(member)

    async def prepare(self, state: State, order: tuple[str, ...], action: Action | None) -> int:
        """Let every worker load what the state needs; returns the change's number.

        Raises the first refusal, or StoreUnavailable where a worker does not answer in time; then it is aborted.
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
        """Let every worker forget what it prepared."""
        for member in self._members:
            member.send(Abort(change))

    async def apply(self, change: int) -> None:
        """Let every worker serve what it prepared.

        Raises StoreUnavailable where one does not confirm in time: others may then serve it already.
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
        """Those of the workers that are still there."""
        futures = {member.expect(kind, change): member for member in members}
        if not futures:
            return []
        done, late = await asyncio.wait(futures, timeout=seconds or CONFIRM_SECONDS)
        if late:
            names = ", ".join(sorted(futures[future].name for future in late))
            raise StoreUnavailable(f"{names} did not confirm within {CONFIRM_SECONDS:g} s: nothing is changed")
        return [answer for future in done if (answer := future.result()) is not None]
