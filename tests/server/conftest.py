from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from blockbuster import BlockBuster, blockbuster_ctx

from server.settings import Settings
from tests.conftest import Build

KEEP_ALIVE_SECONDS = 0.5

Client: TypeAlias = TestClient[web.Request, web.Application]
Post: TypeAlias = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]


@pytest.fixture(autouse=True)
def blocking_is_an_error() -> Iterator[BlockBuster]:
    """Whatever blocks the event loop from our own code fails the test, but for the journal's own."""
    with blockbuster_ctx(["server", "core"]) as blockbuster:
        for function in blockbuster.functions.values():
            function.can_block_in("core/journals/journal.py", {"_write", "_restore"})
        yield blockbuster


@pytest.fixture
def keep_alive_seconds() -> float:
    """How long a connection may be idle, for those tests that serve on a real port."""
    return KEEP_ALIVE_SECONDS


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


def assert_envelope(status: int, answer: dict[str, Any]) -> None:
    """Hold what every answer below /reversal and of /predict has."""
    assert answer["success"] is (status == 200)
    if status == 200:
        assert set(answer) == {"success", "data", "error", "timestamp"}
        assert answer["error"] is None
    else:
        assert set(answer) - {"details"} == {"success", "data", "error", "code", "timestamp"}
        assert answer["data"] is None
        assert answer["error"]
