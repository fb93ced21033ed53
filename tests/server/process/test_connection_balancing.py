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
    """Accepts what comes to a socket, in this process."""

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
async def test_kept_connections_spread_evenly(listening: socket.socket, clients: AsyncExitStack, number: int) -> None:
    connections = Connections()
    async with AsyncExitStack() as running:
        workers = [await running.enter_async_context(Worker(listening, connections, i)) for i in range(number)]
        for _ in range(24):
            await connect(listening, clients)
        await until_there_are(24, *workers)
        assert max(worker.count for worker in workers) - min(worker.count for worker in workers) <= 1


async def test_who_has_lost_its_clients_is_known_to_have_room(
    listening: socket.socket, clients: AsyncExitStack
) -> None:
    connections = Connections()
    async with Worker(listening, connections, 0) as one:
        opened = [await connect(listening, clients) for _ in range(8)]
        await until_there_are(8, one)
        connections.tell(1, 4)
        assert not connections.is_least(0)
        for writer in opened:
            writer.close()
        await until(lambda: connections.is_least(0))


async def test_a_new_worker_gets_what_comes_until_it_has_as_many(
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


async def test_a_connection_that_is_closed_counts_no_more(listening: socket.socket, clients: AsyncExitStack) -> None:
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


async def test_what_is_for_a_worker_that_does_not_come_is_taken_by_another(
    listening: socket.socket, clients: AsyncExitStack
) -> None:
    connections = Connections()
    connections.tell(7, 0)  # it stalls
    async with Worker(listening, connections, 1) as worker:
        for _ in range(20):
            await connect(listening, clients)
        await until_there_are(20, worker)


async def test_nobody_waits_for_a_worker_that_has_ended(listening: socket.socket, clients: AsyncExitStack) -> None:
    connections = Connections()
    async with Worker(listening, connections, 1) as worker:
        connections.tell(2, 0)
        await connect(listening, clients)
        await until_there_are(1, worker)
        assert not connections.is_least(1)
        connections.forget(2)
        assert connections.is_least(1)


async def test_a_site_that_stops_leaves_what_comes_to_the_others(
    listening: socket.socket, clients: AsyncExitStack
) -> None:
    connections = Connections()
    async with Worker(listening, connections, 1) as one, Worker(listening, connections, 2) as other:
        await one.site.stop()
        for _ in range(4):
            await connect(listening, clients)
        await until_there_are(4, other)
        assert one.count == 0


async def test_the_last_one_to_leave_closes_the_port_for_all_where_the_server_ends(
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
        async with Worker(listening, connections, 3) as late:  # it has been starting all the time
            assert late.count == 0


async def test_who_is_replaced_leaves_the_port_to_who_will_come(
    listening: socket.socket, clients: AsyncExitStack
) -> None:
    connections = Connections()
    async with Worker(listening, connections, 1) as old:
        await old.site.stop()
    await connect(listening, clients)
    async with Worker(listening, connections, 2) as new:
        await until_there_are(1, new)


async def test_without_descriptors_it_says_so_and_tries_again(
    listening: socket.socket, clients: AsyncExitStack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: socket.socket) -> NoReturn:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with Worker(listening, Connections(), 1) as worker:
        with caplog.at_level(logging.ERROR), monkeypatch.context() as exhausted:
            exhausted.setattr(socket.socket, "accept", refuse)
            await connect(listening, clients)
            await until(lambda: bool(caplog.messages))
        assert caplog.messages == ["no connection can be accepted: [Errno 24] Too many open files"]
        await until_there_are(1, worker)


def test_a_few_more_of_many_are_as_good_as_equal() -> None:
    connections = Connections()
    for mine, expected in ((160, True), (170, True), (171, False)):
        connections.tell(1, mine)
        connections.tell(2, 160)
        assert connections.is_least(1) is expected


def test_what_forked_processes_tell_is_seen_by_all() -> None:
    connections = Connections()
    connections.tell(1, 3)
    child = os.fork()
    if child == 0:
        connections.tell(2, 1)
        os._exit(0)
    os.waitpid(child, 0)
    assert not connections.is_least(1)
    assert connections.is_least(2)
