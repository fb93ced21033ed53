from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiohttp import web
from blockbuster import BlockBuster, blockbuster_ctx

from server.settings import Settings
from tests.application import Build
from tests.server.client import KEEP_ALIVE_SECONDS, Client, Post, assert_envelope
from tests.server.worker_fixture import Worker, running


@pytest.fixture(autouse=True)
def blocking_is_an_error() -> Iterator[BlockBuster]:
    """Fail a test if our own code blocks the event loop. Only the journal may."""
    with blockbuster_ctx(["server", "core"]) as blockbuster:
        for function in blockbuster.functions.values():
            function.can_block_in("core/journals/journal.py", {"_write", "_restore"})
        yield blockbuster


@pytest.fixture
def keep_alive_seconds() -> float:
    """How long a connection may be idle, for the tests that serve on a real port."""
    return KEEP_ALIVE_SECONDS


@pytest.fixture
async def worker(
    settings: Settings, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> AsyncIterator[Worker]:
    """A running worker that serves all versions of `models`."""
    async with running(settings, aiohttp_client) as made:
        await made.serve()
        yield made


@pytest.fixture
async def client(
    settings: Settings, build: Build, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> Client:
    return await aiohttp_client(await build(settings))


@pytest.fixture
def post(client: Client) -> Post:
    """Post JSON, or raw bytes, and return the status and the envelope."""

    async def send(path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        response = await client.post(path, data=io.BytesIO(data), headers=headers)
        answer: dict[str, Any] = await response.json()
        assert_envelope(response.status, answer)
        return response.status, answer

    return send
