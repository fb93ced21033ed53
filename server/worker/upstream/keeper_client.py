"""Forwards requests to the keeper, and the keeper's answers to the callers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import aiohttp
from aiohttp import hdrs, web
from yarl import URL

from core.errors import StoreUnavailable
from server.http.request_log.request_ids import id_of
from server.logs.request_id import HEADER as REQUEST_ID
from server.protocol.messages import ADDRESS_HEADER, CALLER_HEADER, MANAGES_HEADER
from server.protocol.pages import EVENTS, LAST_EVENT, PROXY_BUFFERING, event
from server.worker.draining import Draining
from server.worker.upstream.session import ANSWER_SECONDS, KEEPER_URL, keeper_session

# Headers of the keeper's answer that are passed on to the client. The others belong to the connection.
_ANSWER_HEADERS = (
    *("Content-Type", "Content-Disposition", "Content-Security-Policy", "Allow", "Retry-After"),
    PROXY_BUFFERING,
)
# Headers of the request that are passed on to the keeper.
_REQUEST_HEADERS = ("Content-Type", LAST_EVENT)
_CHUNK = 64 * 1024
# The last event of a stream whose worker shuts down. The client connects again, to another worker or server.
BYE = event("bye", b'{"reason":"shutdown"}')
BYE_SECONDS = 0.5
# The longest time that a client is given to receive one piece of a long answer.
PIECE_SECONDS = 60.0


class Caller(NamedTuple):
    """The name of a request's token, the address of its client, and whether it may use ADMIN endpoints."""

    name: str
    address: str
    manages: bool


class KeeperClient:
    """Sends one worker's requests to the keeper, each with the name of its caller."""

    def __init__(self, socket: Path, draining: Draining) -> None:
        self._socket = socket
        self._draining = draining
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Create the session, inside the event loop. It connects with the first request."""
        self._session = keeper_session(self._socket)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def forward(
        self, request: web.Request, body: bytes, caller: Caller, traced: Mapping[str, str]
    ) -> web.StreamResponse:
        """Let the keeper answer a caller's request, and pass on the answer as it arrives. Raises StoreUnavailable.

        `traced`: the headers of the call's trace.
        """
        headers = {REQUEST_ID: id_of(request), **traced}
        headers |= {name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers}
        upstream, whole = await self._asked(request.method, request.rel_url.raw_path_qs, body, caller, headers)
        async with upstream:
            passed = {name: upstream.headers[name] for name in _ANSWER_HEADERS if name in upstream.headers}
            if whole is not None:
                return web.Response(body=whole, status=upstream.status, headers=passed)
            answer = web.StreamResponse(status=upstream.status, headers=passed)
            if upstream.content_type != EVENTS:
                await answer.prepare(request)
                await _pass_on(upstream, answer, request)
                return answer
            answer.force_close()  # it ends only with the connection
            await answer.prepare(request)
            try:
                async with self._draining.until_closing():
                    await _pass_on(upstream, answer, request)
            except TimeoutError:
                await _say_bye(answer, request)
            return answer

    async def call(self, path: str, body: bytes, caller: Caller, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """The status and the body of the keeper's answer to a caller's POST. Raises StoreUnavailable.

        `path`: encoded. `headers`: the request's id, and those of the call's trace.
        """
        upstream, whole = await self._asked(hdrs.METH_POST, path, body, caller, headers)
        async with upstream:
            return upstream.status, await upstream.read() if whole is None else whole

    async def _asked(
        self, method: str, path: str, body: bytes, caller: Caller, headers: Mapping[str, str]
    ) -> tuple[aiohttp.ClientResponse, bytes | None]:
        """The keeper's answer, and its body unless that is long. Raises StoreUnavailable."""
        own = {CALLER_HEADER: caller.name, ADDRESS_HEADER: caller.address, **headers}
        if caller.manages:
            own[MANAGES_HEADER] = "yes"
        if self._session is None:
            raise StoreUnavailable("the keeper is not connected")
        try:
            upstream = await self._session.request(
                method, URL(f"{KEEPER_URL}{path}", encoded=True), data=body, headers=own
            )
            return upstream, None if upstream.content_length is None else await upstream.read()
        except TimeoutError:
            raise StoreUnavailable(f"the keeper did not answer within {ANSWER_SECONDS:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            cause = f"the keeper cannot be reached: {error}"  # with the path of its socket
            raise StoreUnavailable("the keeper cannot be reached; try again later", cause) from None


async def _say_bye(answer: web.StreamResponse, request: web.Request) -> None:
    """Write the last event, unless the client does not read."""
    try:
        async with asyncio.timeout(BYE_SECONDS):
            await answer.write(BYE)
    except (ConnectionError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()


async def _pass_on(upstream: aiohttp.ClientResponse, answer: web.StreamResponse, request: web.Request) -> None:
    """Write a long answer piece by piece."""
    try:
        async for chunk in upstream.content.iter_chunked(_CHUNK):
            async with asyncio.timeout(PIECE_SECONDS):
                await answer.write(chunk)
    except (aiohttp.ClientError, ConnectionError, TimeoutError):
        # An answer that ends early must not look complete. Without its last chunk, the client sees that it is broken.
        if request.transport is not None:
            request.transport.abort()
