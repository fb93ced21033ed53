"""A worker's link to the keeper: the state comes over it, and what a worker does not answer itself goes over it."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path

import aiohttp
from aiohttp import WSMsgType, web
from yarl import URL

from core.errors import ServiceError, StoreUnavailable
from core.serving.registry import Prepared, Registry
from server.protocol.messages import (
    ADDRESS_HEADER,
    CALLER_HEADER,
    MEMBERS_PATH,
    Announce,
    Applied,
    Apply,
    Prepare,
    Ready,
    ToKeeper,
    ToWorker,
    decode_for_worker,
    encode,
)
from server.worker.draining import Draining

log = logging.getLogger(__name__)

# Between two tries to reach the keeper.
RETRY_SECONDS = 0.05
# So many tries in a row, five seconds, are told.
_UNREACHED_TRIES = 100
# Headers of an answer that pass on to the client; the rest belongs to the connection.
_ANSWER_HEADERS = ("Content-Type", "Content-Disposition", "Allow")
_CHUNK = 64 * 1024
# The longest that the keeper may think, over a report on millions of candles.
ANSWER_SECONDS = 120.0
# The longest that a client may take over a piece of a long answer.
PIECE_SECONDS = 60.0


class KeeperClient:
    """One worker's connections to the keeper."""

    def __init__(self, socket: Path, registry: Registry, draining: Draining) -> None:
        self._socket = socket
        self._registry = registry
        self._draining = draining
        self._prepared: dict[int, Prepared] = {}
        self._following = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> asyncio.Task[None]:
        """Connect, and return once the keeper's state is served; the task goes on following it."""
        self._session = aiohttp.ClientSession(
            # No limit: clients that do not read their exports must not use up the connections of all others.
            connector=aiohttp.UnixConnector(str(self._socket), limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_read=ANSWER_SECONDS),
            # A request without a content type is passed on without one.
            skip_auto_headers=("Content-Type",),
        )
        task = asyncio.create_task(self._follow(self._session))
        await self._following.wait()
        return task

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()

    async def _follow(self, session: aiohttp.ClientSession) -> None:
        """Do what the keeper says, for ever. While it is away the last state is served."""
        failures = 0
        while True:
            try:
                url = f"http://keeper{MEMBERS_PATH}?pid={os.getpid()}"
                async with session.ws_connect(url, max_msg_size=0) as websocket:
                    failures = 0
                    async for message in websocket:
                        if message.type != WSMsgType.TEXT:
                            break
                        answer = await self._obey(decode_for_worker(message.data))
                        if answer is not None:
                            await websocket.send_str(encode(answer).decode())
                log.warning("the keeper has ended: predictions go on, nothing can be changed")
            except (aiohttp.ClientError, OSError) as error:  # not there yet, or no more
                failures += 1
                if failures == _UNREACHED_TRIES:
                    log.error("the keeper cannot be reached for %g s: %s", failures * RETRY_SECONDS, error)
            except Exception:  # a worker that no longer follows would serve what has long been changed
                log.exception("the keeper cannot be followed")
            await asyncio.sleep(RETRY_SECONDS)

    async def _obey(self, message: ToWorker) -> ToKeeper | None:
        if isinstance(message, Prepare):
            return await self._prepare(message)
        if isinstance(message, Announce):
            self._draining.announced = True
            return None
        prepared = self._prepared.pop(message.change, None)
        # What could not be prepared, or comes too late, is not confirmed: that is all that is left to do.
        late = isinstance(message, Apply) and message.until is not None and time.monotonic() > message.until
        if prepared is None or late or not isinstance(message, Apply):
            return None
        self._registry.apply(prepared)
        self._following.set()
        return Applied(message.change, self._registry.snapshot.active)

    async def _prepare(self, message: Prepare) -> Ready:
        try:
            self._prepared[message.change] = await asyncio.to_thread(
                self._registry.prepare, message.state, message.order, message.action
            )
        except ServiceError as error:
            return Ready(message.change, error.code, error.message)
        except Exception as error:
            log.exception("revision %d cannot be prepared", message.state.revision)
            return Ready(message.change, ServiceError.code, f"{type(error).__name__}, see the service's log")
        return Ready(message.change)

    async def forward(self, request: web.Request, body: bytes, caller: str) -> web.StreamResponse:
        """Let the keeper answer a caller's request, and pass its answer on as it comes. Raises StoreUnavailable."""
        headers = {CALLER_HEADER: caller, ADDRESS_HEADER: request.remote or ""}
        if "Content-Type" in request.headers:
            headers["Content-Type"] = request.headers["Content-Type"]
        url = f"http://keeper{request.rel_url.raw_path_qs}"
        if self._session is None:
            raise StoreUnavailable("the keeper is not connected")
        try:
            upstream = await self._session.request(request.method, URL(url, encoded=True), data=body, headers=headers)
            whole = None if upstream.content_length is None else await upstream.read()
        except TimeoutError:
            raise StoreUnavailable(f"the keeper has not answered for {ANSWER_SECONDS:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise StoreUnavailable(f"the keeper cannot be reached: {error}") from None
        async with upstream:
            passed = {name: upstream.headers[name] for name in _ANSWER_HEADERS if name in upstream.headers}
            if whole is not None:
                return web.Response(body=whole, status=upstream.status, headers=passed)
            answer = web.StreamResponse(status=upstream.status, headers=passed)
            await answer.prepare(request)
            try:
                async for chunk in upstream.content.iter_chunked(_CHUNK):
                    async with asyncio.timeout(PIECE_SECONDS):
                        await answer.write(chunk)
            except (aiohttp.ClientError, ConnectionError, TimeoutError):
                # What ends early must not look whole: without its last chunk the client sees a broken answer.
                if request.transport is not None:
                    request.transport.abort()
            return answer
