from __future__ import annotations

import asyncio
import io
import json
from contextlib import suppress

import pytest
from aiohttp import web

from core.errors import Overloaded, StoreUnavailable
from server.api.endpoints import ENDPOINTS
from server.http.app_keys import BODY_MEMORY
from server.http.bodies.body import LARGE
from server.worker.app_keys import KEEPER_CLIENT
from tests.server.client import Client
from tests.server.paths import filled

EXPERIMENT = {"experiment_id": "e", "name": "n", "variant_a": "v1", "variant_b": "v2", "traffic_split": 0.5}


async def test_the_keeper_reads_a_body_without_a_content_type_as_json(client: Client) -> None:
    body = json.dumps(EXPERIMENT).encode()
    response = await client.post("/reversal/experiments", data=body, skip_auto_headers=["Content-Type"])
    assert response.status == 201, await response.text()


async def test_another_content_type_is_refused_and_named(client: Client) -> None:
    response = await client.post("/reversal/experiments", data=b"{}", headers={"Content-Type": "text/plain"})
    assert response.status == 415
    assert "text/plain" in (await response.json())["error"]


async def test_a_packed_body_reaches_the_keeper_unpacked(client: Client) -> None:
    response = await client.post("/reversal/experiments", json=EXPERIMENT, compress="gzip")
    assert response.status == 201, await response.text()


async def test_odd_paths_reach_the_keeper_as_they_were_sent(client: Client) -> None:
    response = await client.get("/reversal/experiments/%C3%A4%20b/metrics?x=%2F")
    answer = await response.json()
    assert (response.status, answer["code"]) == (404, "UNKNOWN_EXPERIMENT")


async def test_the_head_of_an_export_comes_without_rows(client: Client) -> None:
    assert (await client.post("/reversal/experiments", json=EXPERIMENT)).status == 201
    for _ in range(2):  # on one connection to the keeper
        response = await client.head("/reversal/experiments/e/export?format=csv")
        assert (response.status, response.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert (await client.get("/reversal/experiments")).status == 200


async def test_a_page_keeps_its_type_and_what_a_browser_may_do_with_it(client: Client) -> None:
    assert (await client.post("/reversal/experiments", json=EXPERIMENT)).status == 201
    response = await client.get("/reversal/experiments/e/report?format=html")
    assert (response.status, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_target_with_its_host_reaches_the_keeper_as_well(client: Client) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"GET http://x/reversal/experiments?a=b HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 " in await reader.readline()
    writer.close()


async def test_a_large_body_has_memory_until_it_is_answered(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.app is not None
    memory, forwarded, answered = client.app[BODY_MEMORY], asyncio.Event(), asyncio.Event()

    async def forward_later(*_: object) -> web.Response:
        forwarded.set()
        await answered.wait()
        return web.Response()

    monkeypatch.setattr(client.app[KEEPER_CLIENT], "forward", forward_later)
    asking = asyncio.create_task(client.post("/reversal/outcomes", data=io.BytesIO(bytes(LARGE + 1))))
    await forwarded.wait()
    assert (memory.used, len(memory.arriving)) == (LARGE + 1, 0)
    answered.set()
    assert (await asking).status == 200
    assert memory.used == 0


async def test_a_large_body_without_memory_is_refused_with_retry_after(client: Client) -> None:
    assert client.app is not None
    other = client.app[BODY_MEMORY].share(0.0, lambda: None)
    with suppress(Overloaded):
        while True:
            other.take(LARGE)
    other.arrived()
    response = await client.post("/reversal/outcomes", data=io.BytesIO(bytes(LARGE + 1)))
    assert (response.status, (await response.json())["code"]) == (503, "OVERLOADED")
    assert "Retry-After" in response.headers


async def test_workers_forward_only_what_the_keeper_answers(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.app is not None
    forwarded = set()

    async def forward(request: web.Request, *_: object) -> web.Response:
        assert request.match_info.route.resource is not None
        forwarded.add((request.method, request.match_info.route.resource.canonical))
        raise StoreUnavailable("forwarded")

    monkeypatch.setattr(client.app[KEEPER_CLIENT], "forward", forward)
    for each in ENDPOINTS:
        await client.request(each.method, filled(each.path))
    assert forwarded == {(each.method, each.path) for each in ENDPOINTS if each.answered_by == "keeper"}
