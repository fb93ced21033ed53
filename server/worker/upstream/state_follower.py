"""Follows the keeper: prepares each state that the keeper decides, then serves it when the keeper says so."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
from aiohttp import WSMsgType

from core.errors import ServiceError
from core.log_event import LogEvent
from core.serving.registry import Prepared, Registry
from core.serving.replicas import Replica
from server.protocol.messages import (
    MEMBERS_PATH,
    Announce,
    Applied,
    Apply,
    Ordered,
    Others,
    Prepare,
    Ready,
    ToKeeper,
    decode_for_worker,
    encode,
)
from server.protocol.pages import AskWindow, Watch
from server.worker.draining import Draining
from server.worker.upstream.session import KEEPER_URL, keeper_session

log = logging.getLogger(__name__)

# The pause between two attempts to reach the keeper.
RETRY_SECONDS = 0.05
# After this many failed attempts in a row, which take five seconds, an error is logged.
_UNREACHED_TRIES = 100
_WITHOUT_KEEPER = "predictions continue; management answers 503"


class StateFollower:
    """Keeps one worker's registry at the state that the keeper has decided."""

    def __init__(
        self,
        socket: Path,
        registry: Registry,
        draining: Draining,
        show: Callable[[Watch | AskWindow], ToKeeper] | None = None,
    ) -> None:
        """`show`: answers what is asked for open pages; None: nothing does."""
        self._socket = socket
        self._show = show
        self._registry = registry
        self._draining = draining
        self.others: tuple[Replica, ...] = ()  # the other replicas, as the keeper has told last
        self._prepared: dict[int, Prepared] = {}
        self._following = asyncio.Event()

    async def start(self) -> asyncio.Task[None]:
        """Connect, and return once the keeper's state is served; the task follows it until it is cancelled."""
        task = asyncio.create_task(self._follow())
        await self._following.wait()
        return task

    async def _follow(self) -> None:
        """Do what the keeper says, until cancelled. While the keeper is away, the last state is served."""
        async with keeper_session(self._socket) as session:
            await self._follow_over(session)

    async def _follow_over(self, session: aiohttp.ClientSession) -> None:
        failures = 0
        while True:
            try:
                url = f"{KEEPER_URL}{MEMBERS_PATH}?pid={os.getpid()}"
                async with session.ws_connect(url, max_msg_size=0) as websocket:
                    failures = 0
                    await self._converse(websocket)
                log.warning(LogEvent("keeper_disconnected", effect=_WITHOUT_KEEPER))
            except (aiohttp.ClientError, OSError) as error:  # the keeper has not started yet, or has ended
                failures += 1
                if failures == _UNREACHED_TRIES:
                    seconds = failures * RETRY_SECONDS
                    log.error(LogEvent("keeper_unreachable", seconds=seconds, error=error, effect=_WITHOUT_KEEPER))
            except Exception:  # without a retry, the worker would go on serving an outdated state
                log.exception(LogEvent("keeper_following_failed", effect="the worker reconnects to the keeper"))
            await asyncio.sleep(RETRY_SECONDS)

    async def _converse(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        """Answer the keeper until it disconnects.

        States are handled in order, which takes as long as a version takes to load. Questions for open pages are
        answered meanwhile: they must not wait for a load, nor a load for them.
        """
        ordered: asyncio.Queue[Ordered] = asyncio.Queue()
        both = self._receive(websocket, ordered), self._follow_all(websocket, ordered)
        tasks = [asyncio.create_task(each) for each in both]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for each in ended:
            if isinstance(each, Exception):
                raise each

    async def _receive(self, websocket: aiohttp.ClientWebSocketResponse, ordered: asyncio.Queue[Ordered]) -> None:
        async for received in websocket:
            if received.type != WSMsgType.TEXT:
                return
            message = decode_for_worker(received.data)
            if not isinstance(message, Watch | AskWindow):
                ordered.put_nowait(message)
            elif self._show is not None:
                await _send(websocket, self._show(message))

    async def _follow_all(self, websocket: aiohttp.ClientWebSocketResponse, ordered: asyncio.Queue[Ordered]) -> None:
        while True:
            answer = await self._handle(await ordered.get())
            if answer is not None:
                await _send(websocket, answer)

    async def _handle(self, message: Ordered) -> ToKeeper | None:
        if isinstance(message, Prepare):
            return await self._prepare(message)
        if isinstance(message, Others):
            self.others = message.replicas
            return None
        if isinstance(message, Announce):
            self._draining.announced = True
            return None
        prepared = self._prepared.pop(message.change, None)
        # A change that could not be prepared, or that is applied too late, is not confirmed.
        late = isinstance(message, Apply) and message.until is not None and time.monotonic() > message.until
        if prepared is None or late or not isinstance(message, Apply):
            return None
        self._registry.apply(prepared)
        self._following.set()
        snapshot = self._registry.snapshot
        return Applied(message.change, snapshot.active, snapshot.replaced)

    async def _prepare(self, message: Prepare) -> Ready:
        try:
            prepared = self._prepared[message.change] = await asyncio.to_thread(
                self._registry.prepare, message.state, message.order, message.action, message.served
            )
        except ServiceError as error:
            return Ready(message.change, error.code, error.message)
        except Exception as error:
            log.exception(LogEvent("state_preparation_failed", revision=message.state.revision))
            return Ready(message.change, ServiceError.code, f"{type(error).__name__}; the server's log has the details")
        return Ready(message.change, served=prepared.served)


async def _send(websocket: aiohttp.ClientWebSocketResponse, message: ToKeeper) -> None:
    await websocket.send_str(encode(message).decode())
