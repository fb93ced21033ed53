from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import NoReturn, Self

import pytest
from aiohttp import web

from server.process.connection_balancing import Connections, Site
from tests.waiting import until


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=256) as made:
        yield made


@pytest.fixture
async def clients() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


class Worker:
    """A worker in this process that accepts connections from a socket."""

    def __init__(self, listening: socket.socket, connections: Connections, number: int) -> None:
        self.runner = web.AppRunner(web.Application())
        self.listening = listening.dup()
        self._connections, self._number = connections, number

    async def __aenter__(self) -> Self:
        await self.runner.setup()
        self.site = Site(self.runner, self.listening, self._connections, self._number)
        await self.site.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()
        self.listening.close()

    @property
    def count(self) -> int:
        assert self.runner.server is not None
        return len(self.runner.server.connections)


async def connect(listening: socket.socket, clients: AsyncExitStack) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection(*listening.getsockname())
    clients.callback(writer.close)
    return writer


async def until_there_are(count: int, *workers: Worker) -> None:
    await until(lambda: sum(worker.count for worker in workers) == count)


@pytest.mark.parametrize("number", [2, 3])
async def test_keep_alive_connections_are_distributed_evenly(
    listening: socket.socket, clients: AsyncExitStack, number: int
) -> None:
    connections = Connections()
    async with AsyncExitStack() as running:
        workers = [await running.enter_async_context(Worker(listening, connections, i)) for i in range(number)]
        for _ in range(24):
            await connect(listening, clients)
        await until_there_are(24, *workers)
        assert max(worker.count for worker in workers) - min(worker.count for worker in workers) <= 1


async def test_a_worker_that_loses_clients_publishes_its_lower_count(
    listening: socket.socket, clients: AsyncExitStack
) -> None:
    connections = Connections()
    async with Worker(listening, connections, 0) as one:
        opened = [await connect(listening, clients) for _ in range(8)]
        await until_there_are(8, one)
        connections.publish(1, 4)
        assert not connections.has_fewest(0)
        for writer in opened:
            writer.close()
        await until(lambda: connections.has_fewest(0))


async def test_a_new_worker_accepts_until_it_has_as_many_connections(
    listening: socket.socket, clients: AsyncExitStack
) -> None:
    connections = Connections()
    async with Worker(listening, connections, 1) as old:
        for _ in range(10):
            await connect(listening, clients)
        await until_there_are(10, old)
        async with Worker(listening, connections, 2) as new:
            for _ in range(10):
                await connect(listening, clients)
            await until_there_are(20, old, new)
            assert (old.count, new.count) == (10, 10)


async def test_closed_connections_are_not_counted(listening: socket.socket, clients: AsyncExitStack) -> None:
    connections = Connections()
    async with Worker(listening, connections, 1) as one, Worker(listening, connections, 2) as other:
        writers = [await connect(listening, clients) for _ in range(8)]
        await until_there_are(8, one, other)
        for writer in writers:
            writer.close()
        await until_there_are(0, one, other)
        for _ in range(8):
            await connect(listening, clients)
        await until_there_are(8, one, other)
        assert {one.count, other.count} == {4}


async def test_another_worker_accepts_the_share_of_a_stalled_one(
    listening: socket.socket, clients: AsyncExitStack
) -> None:
    connections = Connections()
    connections.publish(7, 0)  # a stalled worker
    async with Worker(listening, connections, 1) as worker:
        for _ in range(20):
            await connect(listening, clients)
        await until_there_are(20, worker)


async def test_an_ended_worker_is_not_waited_for(listening: socket.socket, clients: AsyncExitStack) -> None:
    connections = Connections()
    async with Worker(listening, connections, 1) as worker:
        connections.publish(2, 0)
        await connect(listening, clients)
        await until_there_are(1, worker)
        assert not connections.has_fewest(1)
        connections.forget(2)
        assert connections.has_fewest(1)


async def test_a_stopped_site_leaves_new_connections_to_the_others(
    listening: socket.socket, clients: AsyncExitStack
) -> None:
    connections = Connections()
    async with Worker(listening, connections, 1) as one, Worker(listening, connections, 2) as other:
        await one.site.stop()
        for _ in range(4):
            await connect(listening, clients)
        await until_there_are(4, other)
        assert one.count == 0


async def test_at_shutdown_the_last_worker_closes_the_port_for_all(
    listening: socket.socket, clients: AsyncExitStack
) -> None:
    connections = Connections()
    async with Worker(listening, connections, 1) as one, Worker(listening, connections, 2) as other:
        connections.end()
        await one.site.stop()
        await connect(listening, clients)
        await until_there_are(1, other)
        await other.site.stop()
        with pytest.raises(ConnectionRefusedError):
            await connect(listening, clients)
        async with Worker(listening, connections, 3) as late:  # a worker that was still starting
            assert late.count == 0


async def test_a_replaced_worker_leaves_the_port_open_for_its_successor(
    listening: socket.socket, clients: AsyncExitStack
) -> None:
    connections = Connections()
    async with Worker(listening, connections, 1) as old:
        await old.site.stop()
    await connect(listening, clients)
    async with Worker(listening, connections, 2) as new:
        await until_there_are(1, new)


async def test_without_descriptors_it_logs_an_error_and_tries_again(
    listening: socket.socket, clients: AsyncExitStack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: socket.socket) -> NoReturn:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with Worker(listening, Connections(), 1) as worker:
        with caplog.at_level(logging.ERROR), monkeypatch.context() as exhausted:
            exhausted.setattr(socket.socket, "accept", refuse)
            await connect(listening, clients)
            await until(lambda: bool(caplog.messages))
        (message,) = caplog.messages
        assert message.startswith('accept_failed error="[Errno 24] Too many open files" ')
        await until_there_are(1, worker)


def test_a_sixteenth_more_connections_is_within_the_tolerance() -> None:
    connections = Connections()
    for mine, expected in ((160, True), (170, True), (171, False)):
        connections.publish(1, mine)
        connections.publish(2, 160)
        assert connections.has_fewest(1) is expected


def test_all_forked_processes_see_published_counts() -> None:
    connections = Connections()
    connections.publish(1, 3)
    child = os.fork()
    if child == 0:
        connections.publish(2, 1)
        os._exit(0)
    os.waitpid(child, 0)
    assert not connections.has_fewest(1)
    assert connections.has_fewest(2)
