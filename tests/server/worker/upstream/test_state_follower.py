from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from core.bundles.repository import Repository
from core.serving.registry import Prepared, Registry
from core.serving.state import Served, State
from server.protocol.messages import (
    MEMBERS_PATH,
    Applied,
    Apply,
    Prepare,
    Ready,
    ToKeeper,
    decode_for_keeper,
    encode,
)
from server.protocol.pages import AskWindow, FoundWindow, Watch
from server.settings import Settings
from server.worker.draining import Draining
from server.worker.upstream import state_follower
from server.worker.upstream.state_follower import StateFollower
from tests.waiting import until


async def test_a_worker_does_not_serve_a_change_that_it_applies_too_late(models: Path) -> None:
    registry = Registry(Repository(models))
    order = ("v1", "v2", "v3")
    given = (Prepare(1, State(revision=1), order), Apply(1))
    late = (Prepare(2, State(revision=2, active="v2"), order), Apply(2, time.monotonic() - 1))
    answers: list[bytes] = []

    async def keeper(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        for message in (*given, *late, Prepare(3, State(revision=3), order)):
            await websocket.send_str(encode(message).decode())
        answers.extend([(await websocket.receive_str()).encode() for _ in range(4)])
        done.set()
        return websocket

    done = asyncio.Event()
    app = web.Application()
    app.add_routes([web.get(MEMBERS_PATH, keeper)])
    runner = web.AppRunner(app)
    await runner.setup()
    with tempfile.TemporaryDirectory(prefix="reversal-") as folder:
        socket = Path(folder) / "keeper.sock"
        await web.UnixSite(runner, socket).start()
        follower = StateFollower(socket, registry, Draining())
        following = await follower.start()
        await done.wait()
        served = Served(
            {version: registry.snapshot.detectors[version].digest for version in order}, {}, dict.fromkeys(order, 0)
        )
        ready = [Ready(change, served=served) for change in (1, 2, 3)]
        assert answers == [encode(answer) for answer in (ready[0], Applied(1, "v1"), *ready[1:])]
        assert registry.snapshot.revision == 1
        following.cancel()
        await asyncio.wait([following])
        await runner.cleanup()


async def test_a_question_of_a_page_is_answered_while_a_version_loads(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, loading = Registry(Repository(models)), threading.Event()
    prepare = registry.prepare

    def slowly(*given: Any) -> Prepared:  # noqa: ANN401 - passed on
        assert loading.wait(10)
        return prepare(*given)

    monkeypatch.setattr(registry, "prepare", slowly)

    def show(asked: Watch | AskWindow) -> ToKeeper:
        return FoundWindow(asked.question, (), None)

    async def keeper(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        for message in (Prepare(1, State(revision=1), ("v1",)), AskWindow(7, None, None)):
            await websocket.send_str(encode(message).decode())
        answers.append(decode_for_keeper(await websocket.receive_str()))
        loading.set()
        answers.append(decode_for_keeper(await websocket.receive_str()))
        await websocket.send_str(encode(Apply(1)).decode())
        answers.append(decode_for_keeper(await websocket.receive_str()))
        return websocket

    answers: list[ToKeeper] = []
    app = web.Application()
    app.add_routes([web.get(MEMBERS_PATH, keeper)])
    runner = web.AppRunner(app)
    await runner.setup()
    with tempfile.TemporaryDirectory(prefix="reversal-") as folder:
        socket = Path(folder) / "keeper.sock"
        await web.UnixSite(runner, socket).start()
        following = await StateFollower(socket, registry, Draining(), show).start()
        await until(lambda: len(answers) >= 3)
        assert [type(answer) for answer in answers[:3]] == [FoundWindow, Ready, Applied]
        following.cancel()
        await asyncio.wait([following])
        await runner.cleanup()


async def test_an_unreachable_keeper_is_logged_once(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(state_follower, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(state_follower, "_UNREACHED_TRIES", 5)
    connect, tries = aiohttp.ClientSession.ws_connect, []

    def counted(session: aiohttp.ClientSession, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - passed on
        tries.append(1)
        return connect(session, *arguments, **named)

    monkeypatch.setattr(aiohttp.ClientSession, "ws_connect", counted)
    follower = StateFollower(tmp_path / "gone.sock", Registry(Repository(settings.models)), Draining())
    starting = asyncio.create_task(follower.start())
    await until(lambda: len(tries) > 20)
    starting.cancel()
    await asyncio.wait([starting])
    following = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in following:
        task.cancel()
    await asyncio.wait(following)
    (message,) = caplog.messages
    assert message.startswith("keeper_unreachable seconds=0.005 error=")
    assert "gone.sock" in message
