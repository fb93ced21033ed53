"""Collects what workers and keeper have recorded, and exports it, away from every request."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from core.log_event import LogEvent
from server.http.log_throttle import Throttle
from server.protocol.messages import DROPPED_HEADER
from server.tracing.records import RequestSpan, decode_all

if TYPE_CHECKING:
    from server.keeper.tracing.otlp import OtlpSender

log = logging.getLogger(__name__)

SECONDS = 1.0
# The most requests that wait for the collector, about a megabyte for a thousand. Further ones are dropped.
MOST = 8_192
# Requests in one export: a thousand spans.
_TOGETHER = 128
# The longest time that an ending keeper waits for the collector.
_LAST_SECONDS = 2.0
_FULL = "the collector takes less than is recorded; lower REVERSAL_TRACING_RATIO"
_EFFECT = "requests are answered as usual; their traces are lost"


class Collector:
    """The recorded requests that are not exported yet, and how many were exported or lost."""

    def __init__(self, environment: str, ratio: float) -> None:
        """environment, ratio: of the settings."""
        self._environment = environment
        self._ratio = ratio
        self._waiting: deque[RequestSpan] = deque()
        self._sender: OtlpSender | None = None
        self._throttle = Throttle()
        self._unlogged = 0
        self._failing = False  # whether the last export failed
        self.exported = self.dropped = 0

    def keep(self, span: RequestSpan) -> None:
        """Keep a request until it is exported, or drop it if there are too many."""
        if len(self._waiting) >= MOST:
            self._drop(1, _FULL)
        else:
            self._waiting.append(span)

    async def receive(self, request: web.Request) -> web.Response:
        """POST of a worker: what it has recorded since the last one."""
        if dropped := int(request.headers.get(DROPPED_HEADER, "0")):
            self._drop(dropped, "a worker recorded more than a thousand in a second, or could not send them")
        try:
            spans = decode_all(await request.read())
        except msgspec.MsgspecError as error:  # a worker of another release, during an upgrade
            self._drop(1, str(error))
            return web.Response(status=400)
        for each in spans:
            self.keep(each)
        return web.Response(status=204)

    async def exporting(self, _: web.Application) -> AsyncIterator[None]:
        """A cleanup context: export once a second, and once more at shutdown."""
        task = asyncio.create_task(self._repeat())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        if self._sender is None:
            return
        if not self._failing:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_SECONDS):
                    await self._export(self._sender)
        if left := len(self._waiting):
            self._drop(left, "the server has stopped")
        await asyncio.to_thread(self._sender.close)

    async def _repeat(self) -> None:
        try:
            self._sender = sender = await asyncio.to_thread(_sender, self._environment)
        except Exception as error:  # noqa: BLE001 - whatever the variables cause, requests must be answered
            log.error(LogEvent("tracing_failed", error=error, effect="no traces are sent; correct the OTEL_ variables"))
            return
        log.info(LogEvent("tracing_started", ratio=self._ratio))
        while True:
            await asyncio.sleep(SECONDS)
            await self._export(sender)

    async def _export(self, sender: OtlpSender) -> None:
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(_TOGETHER, len(self._waiting)))]
            try:
                failure = await asyncio.to_thread(sender.send, some)
            except asyncio.CancelledError:
                self._drop(len(some), "the server has stopped")
                raise
            except Exception as error:  # noqa: BLE001 - as above
                failure = f"{type(error).__name__}: {error}"
            self._failing = failure is not None
            if failure is None:
                self.exported += len(some)
            else:
                self._drop(len(some), failure)

    def _drop(self, count: int, reason: str) -> None:
        self.dropped += count
        self._unlogged += count
        if self._throttle.passes("dropped"):
            log.warning(LogEvent("traces_dropped", count=self._unlogged, error=reason, effect=_EFFECT))
            self._unlogged = 0


def _sender(environment: str) -> OtlpSender:
    """Import the exporter, which takes a third of a second, and create it."""
    from server.keeper.tracing.otlp import OtlpSender  # noqa: PLC0415 - only with tracing

    return OtlpSender(environment)
