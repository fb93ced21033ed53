"""What pages in browsers can send to a server without tokens."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from server.api.endpoints import ENDPOINTS
from server.auth.access import Level
from server.settings import Settings
from tests.application import Build
from tests.server.auth.tokens import bearer
from tests.server.client import Client
from tests.server.questions import asks

LISTED = "https://desk.example"
NOWHERE = ("GET", "/nowhere")
PLACES = [*((each.method, each.path) for each in ENDPOINTS), NOWHERE, ("POST", "/nowhere"), ("PUT", "/health")]
MANAGEMENT = {(each.method, each.path) for each in ENDPOINTS if each.level is Level.ADMIN}
OUTCOMES = {"outcomes": [{"prediction_id": "none", "outcome": "win"}]}


@pytest.fixture
async def browsed(
    settings: Settings, build: Build, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> Client:
    listing = dataclasses.replace(settings, cors_origins=(LISTED,), allowed_hosts=("desk.example",))
    return await aiohttp_client(await build(listing))


@pytest.fixture
async def guarded(
    settings: Settings, build: Build, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> Client:
    return await aiohttp_client(await build(dataclasses.replace(settings, admin_token="ops:good")))  # noqa: S106


async def ask(client: Client, method: str, path: str, **headers: str) -> tuple[int, str | None]:
    """The status, and the text of a refusal."""
    path = path.replace("{version}", "v2").replace("{id}", "none").replace("{model}", "reversal")
    async with client.request(method, path, headers=headers) as response:
        answer = await response.json() if response.status == 403 else {}
        assert answer.get("code", "FORBIDDEN") == "FORBIDDEN"
        return response.status, answer.get("error")


@pytest.mark.parametrize(("method", "path"), PLACES, ids=" ".join)
async def test_a_host_that_is_not_this_servers_reaches_nothing(browsed: Client, method: str, path: str) -> None:
    for host in ("evil.example", "evil.example:8000", "[::1", ""):
        status, error = await ask(browsed, method, path, Host=host)
        assert status == 403
        assert error is not None
        assert "REVERSAL_ALLOWED_HOSTS" in error
        assert "evil" not in error
    for host in ("localhost:8000", "desk.example", "[::1]:8000"):
        assert (await ask(browsed, method, path, Host=host))[0] != 403


async def test_a_preflight_with_a_host_that_is_not_this_servers_is_refused_too(browsed: Client) -> None:
    asked = {"Origin": LISTED, "Access-Control-Request-Method": "POST"}
    assert (await ask(browsed, "OPTIONS", "/reversal/predict", Host="evil.example", **asked))[0] == 403
    assert (await ask(browsed, "OPTIONS", "/reversal/predict", Host="desk.example", **asked))[0] == 204


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nHost: \xff\xfe",
        b"GET /health HTTP/1.1\r\nHost: a, b",
        b"GET http://evil.example/health HTTP/1.1\r\nHost: localhost",
        b"GET /health HTTP/1.0\r\nHost: evil.example",
        b"POST /reversal/predict HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0",
        b"GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket",
        b"TRACE /health HTTP/1.1\r\nHost: evil.example",
    ],
)
async def test_the_host_is_checked_in_every_form_of_request(browsed: Client, head: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", browsed.port)
    writer.write(head + b"\r\n\r\n")
    assert b" 403 " in await reader.readline()
    writer.close()


async def test_a_request_without_a_host_is_answered(browsed: Client) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", browsed.port)
    writer.write(b"GET /livez HTTP/1.0\r\n\r\n")
    assert b" 200 " in await reader.readline()
    writer.close()


FOREIGN = ("https://evil.example", "null", "http://localhost.evil.example", "http://[evil]", "", "chrome-extension://a")


@pytest.mark.parametrize(("method", "path"), [place for place in PLACES if place[0] != "GET"], ids=" ".join)
async def test_a_page_of_another_origin_cannot_write(browsed: Client, method: str, path: str) -> None:
    for origin in FOREIGN:
        status, error = await ask(browsed, method, path, Origin=origin)
        assert status == 403
        assert error is not None
        assert method in error
        assert "REVERSAL_CORS_ORIGINS" in error
    for origin in ("http://localhost:3000", "http://127.0.0.1", "http://127.8.8.8:1", "http://[::1]:8000"):
        assert (await ask(browsed, method, path, Origin=origin))[0] != 403
    manages = (method, path) in MANAGEMENT
    assert ((await ask(browsed, method, path, Origin=LISTED))[0] == 403) is manages


@pytest.mark.parametrize("path", [path for method, path in PLACES if method == "GET"])
async def test_a_request_that_changes_nothing_is_answered_for_any_origin(browsed: Client, path: str) -> None:
    for origin in FOREIGN:
        assert (await ask(browsed, "GET", path, Origin=origin))[0] != 403


async def test_a_write_without_preflight_is_refused_and_one_of_a_listed_origin_is_accepted(browsed: Client) -> None:
    for origin, status in (("https://evil.example", 403), (LISTED, 200)):
        response = await browsed.post("/reversal/outcomes", json=OUTCOMES, headers={"Origin": origin})
        assert response.status == status
        response = await browsed.post("/reversal/predict", json=asks(0.9), headers={"Origin": origin})
        assert response.status == status


async def test_with_tokens_neither_host_nor_origin_is_checked(guarded: Client) -> None:
    odd = {"Origin": "https://evil.example", "Host": "evil.example", **bearer("good")}
    assert (await guarded.post("/reversal/predict", json=asks(0.9), headers=odd)).status == 200
    assert (await guarded.post("/reversal/models/v2/switch", headers=odd)).status == 200
    assert (await ask(guarded, "GET", "/health", **odd))[0] == 200
    assert (await ask(guarded, "POST", "/reversal/predict", Host="evil.example"))[0] == 401
