"""Sends what a worker has recorded to the keeper, which exports it: the worker loads no package for that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
from aiohttp import web

from server.protocol.messages import DROPPED_HEADER, TRACES_PATH
from server.tracing.records import RequestSpan, encode
from server.worker.upstream.session import KEEPER_URL, keeper_session

SECONDS = 1.0
# The most requests that are kept between two sendings; further ones are dropped and counted. One takes about a
# kilobyte, and 10 µs of the keeper's time for each of its spans.
MOST = 1_000
# Requests in one message, about 100 kB.
_TOGETHER = 100
# The longest time that an ending worker waits for the keeper.
_LAST_SECONDS = 1.0
_ACCEPTED = 204


class TraceBuffer:
    """The recorded requests of a worker that are not sent yet."""

    def __init__(self, keeper: Path) -> None:
        """`keeper`: the keeper's socket."""
        self._keeper = keeper
        self._kept: list[bytes] = []
        self.dropped = 0  # since the keeper was last told

    def keep(self, span: RequestSpan) -> None:
        """Keep a request until it is sent, or drop it if there are too many."""
        if len(self._kept) >= MOST:
            self.dropped += 1
        else:
            self._kept.append(encode(span))

    async def send(self, session: aiohttp.ClientSession) -> None:
        """Send everything. What cannot be sent is dropped: a trace is not worth a second try."""
        kept, self._kept = self._kept, []
        for begin in range(0, len(kept) or bool(self.dropped), _TOGETHER):
            some, dropped = kept[begin : begin + _TOGETHER], self.dropped
            headers = {DROPPED_HEADER: str(dropped), "Content-Type": "application/json"}
            body = b"[%b]" % b",".join(some)
            try:
                async with session.post(f"{KEEPER_URL}{TRACES_PATH}", data=body, headers=headers) as answer:
                    accepted = answer.status == _ACCEPTED
            except (aiohttp.ClientError, OSError, TimeoutError):  # the follower logs that the keeper is away
                accepted = False
            self.dropped += len(some) if not accepted else -dropped

    async def sending(self, _: web.Application) -> AsyncIterator[None]:
        """A cleanup context: send once a second, and once more at shutdown."""
        async with keeper_session(self._keeper) as session:
            task = asyncio.create_task(self._repeat(session))
            yield
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_SECONDS):
                    await self.send(session)

    async def _repeat(self, session: aiohttp.ClientSession) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            await self.send(session)
