"""The keeper's application on a real store, and a journal with records as a worker writes them."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from core.experiments.records import Record
from core.journals.journal import Journal
from server.auth.credentials import Credentials
from server.keeper.app import make_keeper_app
from server.keeper.app_keys import CHANGES, MEMBERS, STORE
from server.keeper.changes import Changes
from server.keeper.fleet.members import Members
from server.keeper.store_access import StoreAccess
from server.protocol.messages import MEMBERS_PATH
from server.settings import Settings
from server.worker.app import make_app
from tests import described
from tests.server.client import Client
from tests.server.keeper.calls import EXPERIMENT, Answer, Call, Write
from tests.server.keeper.scripted_worker import ScriptedWorker


@pytest.fixture
def keeper_app(settings: Settings) -> web.Application:
    """The keeper's application; every answer is checked against the API description."""
    app = make_keeper_app(settings)
    app.on_response_prepare.append(described.preparing)
    return app


@pytest.fixture
async def client(
    settings: Settings, keeper_app: web.Application, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> AsyncIterator[Client]:
    """A client of the keeper. One worker is connected, which confirms changes."""
    client = await aiohttp_client(keeper_app)
    assert client.server.runner is not None
    with tempfile.TemporaryDirectory(prefix="reversal-") as folder:  # pytest's folders are too long for a socket's path
        socket = Path(folder) / "keeper.sock"
        await web.UnixSite(client.server.runner, socket).start()
        worker = web.AppRunner(await asyncio.to_thread(make_app, settings, Credentials(settings), socket))
        await worker.setup()
        yield client
        await worker.cleanup()


@pytest.fixture
def started(client: Client, keeper_app: web.Application) -> web.Application:
    """The keeper's application, started."""
    assert client.server.started
    return keeper_app


@pytest.fixture
def store(started: web.Application) -> StoreAccess:
    return started[STORE]


@pytest.fixture
def changes(started: web.Application) -> Changes:
    return started[CHANGES]


@pytest.fixture
def members(started: web.Application) -> Members:
    return started[MEMBERS]


@pytest.fixture
async def worker(client: Client) -> AsyncIterator[ScriptedWorker]:
    async with client.ws_connect(f"{MEMBERS_PATH}?pid=7") as websocket:
        worker = ScriptedWorker(websocket)
        await worker.join()
        yield worker


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time that workers have to confirm to a fraction of a second."""
    for name, seconds in (("CONFIRM_SECONDS", 0.3), ("TAKE_BACK_SECONDS", 0.3), ("LEAST_SECONDS", 0.1)):
        monkeypatch.setattr(f"server.keeper.fleet.members.{name}", seconds)


@pytest.fixture
def call(client: Client) -> Call:
    """Send JSON or raw bytes, and check the envelope."""

    async def send(method: str, path: str, body: object = None) -> Answer:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        response = await client.request(method, path, data=data, headers={"Content-Type": "application/json"})
        answer = await response.json()
        good = response.status in (200, 201)
        assert answer["success"] is good
        assert set(answer) - {"details", "code"} == {"success", "data", "error", "timestamp"}
        assert ("code" in answer) is not good
        return Answer(response.status, answer["data"], answer.get("code"), answer.get("details", []), answer["error"])

    return send


@pytest.fixture
async def write(client: Client, settings: Settings) -> AsyncIterator[Write]:  # noqa: ARG001 - the keeper creates the folder
    """Append records to a worker's journal."""
    journal = await asyncio.to_thread(
        lambda: Journal(settings.journal_folder, bound_bytes=1 << 30, memory_records=1000)
    )

    async def append(*records: Record) -> None:
        await asyncio.to_thread(journal.append, records)

    yield append
    await asyncio.to_thread(journal.close)


@pytest.fixture
async def running(call: Call) -> str:
    """The id of an active experiment."""
    assert (await call("POST", "/reversal/experiments", EXPERIMENT)).status == 201
    assert (await call("POST", "/reversal/experiments/exp/activate")).status == 200
    return "exp"
