"""A worker on a real port, and a connection to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from server.http.connections.runner import HttpRunner
from server.settings import Settings
from server.worker.fast_path.kinds import kind_of_connection
from tests.server.client import Client
from tests.server.worker.connections import Connection, Service
from tests.server.worker_fixture import running


@pytest.fixture(params=[True, False], ids=["fast path", "plain"])
def fast_path(request: pytest.FixtureRequest) -> bool:
    """Whether connections have the fast path. Both kinds must do what HTTP demands."""
    return bool(request.param)


@pytest.fixture
async def service(
    settings: Settings,
    *,
    fast_path: bool,
    keep_alive_seconds: float,
    aiohttp_client: Callable[[web.Application], Awaitable[Client]],
) -> AsyncIterator[Service]:
    async with running(settings, aiohttp_client) as worker:
        await worker.serve()
        runner = HttpRunner(worker.app, kind_of_connection(fast_path=fast_path), keepalive_timeout=keep_alive_seconds)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield Service(worker, runner, runner.addresses[0][1])
        await runner.cleanup()


@pytest.fixture
async def connection(service: Service) -> AsyncIterator[Connection]:
    async with service.connect() as made:
        yield made
