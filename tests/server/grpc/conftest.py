from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing

import pytest
from grpc.aio import init_grpc_aio, shutdown_grpc_aio

from tests.server.grpc.caller import Caller, served
from tests.server.worker_fixture import Worker


@pytest.fixture(scope="session", autouse=True)
def _running() -> Iterator[None]:
    """Keep gRPC's thread until the end.

    It ends with the last channel or server, which can be in a collection of garbage within another test's event loop,
    and that loop may not wait for a thread.
    """

    async def within_a_loop(call: Callable[[], None]) -> None:
        call()

    with closing(asyncio.new_event_loop()) as loop:
        loop.run_until_complete(within_a_loop(init_grpc_aio))
        yield
        loop.run_until_complete(within_a_loop(shutdown_grpc_aio))


@pytest.fixture
async def caller(worker: Worker) -> AsyncIterator[Caller]:
    """A client of the worker's port of gRPC."""
    async with served(worker.app) as made:
        yield made
