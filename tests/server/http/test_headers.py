from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from server.http.headers import SECURITY
from server.settings import Settings
from tests.application import Build
from tests.server.client import Client
from tests.server.questions import asks

ORIGIN = "https://desk.example"


@pytest.mark.parametrize("path", ["/health", "/nothing", "/metrics", "/reversal/models", "/reversal/experiments"])
async def test_every_answer_has_the_security_headers(client: Client, path: str) -> None:
    response = await client.get(path)
    assert SECURITY.items() <= response.headers.items()
    assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_refusal_has_the_security_headers(client: Client) -> None:
    response = await client.post("/reversal/predict", json={"pair": 1})
    assert response.status == 422
    assert SECURITY.items() <= response.headers.items()


async def test_a_page_of_an_origin_that_is_not_listed_cannot_read_an_answer(client: Client) -> None:
    response = await client.post("/reversal/predict", json=asks(0.9), headers={"Origin": ORIGIN})
    assert response.status == 403
    response = await client.get("/reversal/models", headers={"Origin": ORIGIN})
    assert response.status == 200
    assert "Access-Control-Allow-Origin" not in response.headers
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    assert (await client.options("/reversal/predict", headers=asked)).status == 405


async def test_pages_of_a_listed_origin_can_call(
    settings: Settings, build: Build, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> None:
    client = await aiohttp_client(await build(dataclasses.replace(settings, cors_origins=(ORIGIN,))))
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    response = await client.options("/reversal/predict", headers=asked)
    assert response.status == 204
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    for path in ("/reversal/models", "/reversal/experiments"):
        response = await client.get(path, headers={"Origin": ORIGIN})
        assert (response.headers["Access-Control-Allow-Origin"], response.headers["Vary"]) == (ORIGIN, "Origin")
    other = await client.get("/reversal/models", headers={"Origin": "https://else.example"})
    assert "Access-Control-Allow-Origin" not in other.headers
