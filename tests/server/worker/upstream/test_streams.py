"""Streams of events that a worker passes on from the keeper to a page."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import web

from server.worker.draining import Draining
from server.worker.upstream import keeper_client
from server.worker.upstream.keeper_client import Caller, KeeperClient
from tests.server.client import Client
from tests.waiting import until

PATH = "/stream"


class Passing(NamedTuple):
    """A page's client, the events that the scripted keeper is to send, and what it has seen."""

    client: Client
    draining: Draining
    to_send: asyncio.Queue[bytes | None]
    headers: list[dict[str, str]]
    ended: asyncio.Event


@pytest.fixture
async def passing(aiohttp_client: Callable[[web.Application], Awaitable[Client]]) -> AsyncIterator[Passing]:
    to_send: asyncio.Queue[bytes | None] = asyncio.Queue()
    headers: list[dict[str, str]] = []
    ended = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        headers.append(dict(request.headers))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        try:
            while (piece := await to_send.get()) is not None:
                await response.write(piece)
        except ConnectionError:
            ended.set()
        return response

    draining = Draining()
    with tempfile.TemporaryDirectory(prefix="reversal-") as folder:
        socket = Path(folder) / "keeper.sock"
        keeper = web.Application()
        keeper.add_routes([web.get(PATH, stream)])
        runner = web.AppRunner(keeper, shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, socket).start()
        to_keeper = KeeperClient(socket, draining)
        to_keeper.open()

        async def forward(request: web.Request) -> web.StreamResponse:
            return await to_keeper.forward(request, b"", Caller("", "", manages=False), {})

        worker = web.Application()
        worker.add_routes([web.get(PATH, forward)])
        worker.on_shutdown.append(draining.end_streams)
        yield Passing(await aiohttp_client(worker), draining, to_send, headers, ended)
        draining.close()
        await to_keeper.close()
        await runner.cleanup()


async def test_each_piece_is_passed_on_at_once(passing: Passing) -> None:
    passing.to_send.put_nowait(b"id: 1\n")
    async with passing.client.get(PATH, headers={"Last-Event-ID": "epoch-7"}) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert response.headers["Connection"] == "close"
        assert "Content-Encoding" not in response.headers
        for piece in (b"id: 1\n", b"x", b": ping\n\n"):
            if piece != b"id: 1\n":
                passing.to_send.put_nowait(piece)
            assert await asyncio.wait_for(response.content.readany(), 10) == piece
        passing.to_send.put_nowait(None)
        assert await response.content.read() == b""
    assert passing.headers[0]["Last-Event-ID"] == "epoch-7"


async def test_a_worker_that_shuts_down_says_bye(passing: Passing) -> None:
    passing.to_send.put_nowait(b"first\n\n")
    async with passing.client.get(PATH) as response:
        assert await response.content.readany() == b"first\n\n"
        passing.draining.close()
        text = await asyncio.wait_for(response.content.read(), 10)
        assert text == b'event: bye\ndata: {"reason":"shutdown"}\n\n'
    async with passing.client.get(PATH) as late:
        assert await asyncio.wait_for(late.content.read(), 10) == text


async def test_a_client_that_does_not_read_does_not_delay_a_shutdown(
    passing: Passing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_client, "BYE_SECONDS", 0.05)
    runner = passing.client.server.runner
    assert runner is not None
    assert runner.server is not None
    served = runner.server
    passing.to_send.put_nowait(bytes(32 << 20))
    async with passing.client.get(PATH) as response:
        assert response.connection is not None
        assert response.connection.transport is not None
        response.connection.transport.pause_reading()
        await until(passing.to_send.empty)
        passing.draining.close()
        await until(lambda: not served.connections)


async def test_the_end_of_a_page_ends_its_stream_of_the_keeper(passing: Passing) -> None:
    passing.to_send.put_nowait(b"first\n\n")
    async with passing.client.get(PATH) as response:
        assert await response.content.readany() == b"first\n\n"

    def noticed() -> bool:
        passing.to_send.put_nowait(b"more\n\n")
        return passing.ended.is_set()

    await until(noticed)
