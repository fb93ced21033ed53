"""The keeper's application on a real store, and what workers would have written for it into a journal."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

import pytest
from aiohttp import web

from core.bundles.repository import Repository
from core.experiments.records import Record
from core.journals.journal import Journal
from core.serving.registry import Registry
from server.keeper.app import make_keeper_app
from server.keeper.app_keys import KEEPER
from server.keeper.keeper import Keeper
from server.settings import Settings
from server.worker.draining import Draining
from server.worker.upstream.state_follower import StateFollower
from tests.server.conftest import Client

EXPERIMENT: dict[str, Any] = {
    "experiment_id": "exp",
    "name": "One against two",
    "variant_a": "v1",
    "variant_b": "v2",
    "traffic_split": 0.7,
}


class Answer(NamedTuple):
    """A status and the envelope's parts."""

    status: int
    data: Any
    code: str | None
    details: list[dict[str, str]]
    error: str | None


class Call(Protocol):
    def __call__(self, method: str, path: str, body: object = None) -> Awaitable[Answer]: ...


Write: TypeAlias = Callable[..., Awaitable[None]]


@pytest.fixture
def keeper_app(settings: Settings) -> web.Application:
    return make_keeper_app(settings)


@pytest.fixture
async def client(
    settings: Settings, keeper_app: web.Application, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> AsyncIterator[Client]:
    """The keeper with one worker, whose link confirms its changes."""
    client = await aiohttp_client(keeper_app)
    assert client.server.runner is not None
    with tempfile.TemporaryDirectory(prefix="reversal-") as folder:  # pytest's own are too long for a socket's name
        socket = Path(folder) / "keeper.sock"
        await web.UnixSite(client.server.runner, socket).start()
        following = await StateFollower(socket, Registry(Repository(settings.models)), Draining()).start()
        yield client
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


@pytest.fixture
def keeper_itself(client: Client, keeper_app: web.Application) -> Keeper:
    """Of the application that runs."""
    assert client.server.started
    return keeper_app[KEEPER]


@pytest.fixture
def call(client: Client) -> Call:
    """Send JSON, or raw bytes, and hold the envelope."""

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
async def write(client: Client, settings: Settings) -> AsyncIterator[Write]:  # noqa: ARG001 - the keeper makes the folder
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
