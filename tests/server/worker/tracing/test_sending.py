"""What a worker keeps for the keeper, and what it drops."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from server.keeper.tracing import collecting
from server.keeper.tracing.collecting import Collector
from server.protocol.messages import TRACES_PATH
from server.tracing.records import RequestSpan
from server.worker.tracing import sending
from server.worker.tracing.sending import TraceBuffer
from server.worker.upstream.session import keeper_session

SPAN = RequestSpan("GET /health", "1" * 32, "2" * 16, "", "", 1, 2, {"process.pid": 7}, failed=False, children=[])


@pytest.fixture
async def keeper() -> AsyncIterator[tuple[Collector, Path]]:
    collector, app = Collector("test", 1.0), web.Application()
    app.add_routes([web.post(TRACES_PATH, collector.receive)])
    runner = web.AppRunner(app)
    await runner.setup()
    with tempfile.TemporaryDirectory(prefix="reversal-") as folder:
        socket = Path(folder) / "keeper.sock"
        await web.UnixSite(runner, socket).start()
        yield collector, socket
        await runner.cleanup()


async def test_everything_is_sent_in_pieces(keeper: tuple[Collector, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_TOGETHER", 2)
    collector, socket = keeper
    buffer = TraceBuffer(socket)
    async with keeper_session(socket) as session:
        for _ in range(5):
            buffer.keep(SPAN)
        await buffer.send(session)
        await buffer.send(session)
    assert [*collector._waiting] == [SPAN] * 5  # noqa: SLF001
    assert (collector.dropped, buffer.dropped) == (0, 0)


async def test_what_is_too_much_is_dropped_and_the_keeper_learns_the_number(
    keeper: tuple[Collector, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "MOST", 3)
    collector, socket = keeper
    buffer = TraceBuffer(socket)
    for _ in range(5):
        buffer.keep(SPAN)
    async with keeper_session(socket) as session:
        await buffer.send(session)
        assert (len(collector._waiting), collector.dropped, buffer.dropped) == (3, 2, 0)  # noqa: SLF001
        await buffer.send(session)
    assert collector.dropped == 2


async def test_without_a_keeper_the_number_is_kept_for_later(keeper: tuple[Collector, Path]) -> None:
    collector, socket = keeper
    buffer = TraceBuffer(socket)
    buffer.keep(SPAN)
    async with keeper_session(socket.with_name("no keeper")) as nowhere:
        await buffer.send(nowhere)
    assert buffer.dropped == 1
    async with keeper_session(socket) as session:
        await buffer.send(session)
    assert (collector.dropped, buffer.dropped) == (1, 0)


async def test_the_keeper_keeps_a_bounded_number(
    keeper: tuple[Collector, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "MOST", 3)
    collector, _ = keeper
    for _ in range(5):
        collector.keep(SPAN)
    assert (len(collector._waiting), collector.dropped) == (3, 2)  # noqa: SLF001


async def test_a_message_of_another_release_is_refused_and_counted(keeper: tuple[Collector, Path]) -> None:
    collector, socket = keeper
    async with keeper_session(socket) as session:
        answer = await session.post(f"http://keeper{TRACES_PATH}", data=b'[{"odd": 1}]')
    assert (answer.status, collector.dropped) == (400, 1)
