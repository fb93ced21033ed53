from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from server.settings import Settings
from tests.application import Build
from tests.server.client import Client
from tests.server.questions import asks, candle

TIMED = [candle(0.1 * (1 + hour % 7), timestamp=f"2026-01-02T{hour:02}:00:00Z") for hour in range(20)]


@pytest.fixture
async def keeping(
    settings: Settings, build: Build, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> Client:
    return await aiohttp_client(await build(dataclasses.replace(settings, keep_windows=True)))


async def asked(client: Client, query: str = "") -> Any:  # noqa: ANN401 - JSON
    response = await client.get(f"/dashboard/window{query}")
    assert response.status == 200, await response.text()
    return (await response.json())["data"]


async def posted(client: Client, **body: object) -> dict[str, Any]:
    response = await client.post("/reversal/predict", json={"pair": "EUR/USD"} | body)
    assert response.status == 200, await response.text()
    data: dict[str, Any] = (await response.json())["data"]
    return data


async def test_a_window_comes_back_as_it_can_be_posted(keeping: Client) -> None:
    answer = await posted(keeping, data=TIMED[::-1], timeframe="1h")
    untimed = await posted(keeping, data=[candle(0.3)] * 20, timeframe="4h", user_id="ann")
    await posted(keeping, pair="USD/JPY", features=asks(0.2)["features"])
    found = await asked(keeping)
    assert (found["kept"], found["window"]) == (True, None)
    assert [(place["pair"], place["timeframe"]) for place in found["places"]] == [("EUR/USD", "1h"), ("EUR/USD", "4h")]
    window = (await asked(keeping, "?pair=EUR/USD&timeframe=1h"))["window"]
    assert window["data"] == TIMED
    assert (window["signal"]["signal"], window["signal"]["confidence"]) == (answer["signal"], answer["confidence"])
    again = await posted(keeping, data=window["data"], timeframe="1h")
    assert again["confidence"] == answer["confidence"]
    window = (await asked(keeping, "?pair=EUR/USD&timeframe=4h"))["window"]
    assert window["data"] == [candle(0.3)] * 20
    assert (await posted(keeping, data=window["data"], timeframe="4h"))["confidence"] == untimed["confidence"]
    assert (await asked(keeping, "?pair=USD/JPY&timeframe=1h"))["window"] is None


async def test_nothing_is_kept_unless_it_is_switched_on(
    settings: Settings, build: Build, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> None:
    client = await aiohttp_client(await build(settings))
    await posted(client, data=TIMED)
    assert await asked(client, "?pair=EUR/USD&timeframe=1h") == {"kept": False, "window": None, "places": []}


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("?pair=EUR/USD", "timeframe"),
        ("?timeframe=1h", "pair"),
        ("?pair=eur&timeframe=1h", "pair"),
        ("?pair=EUR/USD%0A&timeframe=1h", "pair"),
        ("?pair=EUR/USD&timeframe=7h", "timeframe"),
    ],
)
async def test_a_bad_place_is_refused(keeping: Client, query: str, path: str) -> None:
    response = await keeping.get(f"/dashboard/window{query}")
    answer = await response.json()
    assert (response.status, answer["code"], answer["details"][0]["path"]) == (422, "VALIDATION_ERROR", path)
