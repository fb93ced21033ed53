from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from core.errors import ModelUnavailable
from core.inference.detector import Detector
from core.serving.circuit_breaker import FAILURES
from core.version import VERSION
from server.settings import Settings, read
from server.worker.app_keys import CIRCUIT_BREAKER, REGISTRY
from tests import bundles
from tests.application import Build, state_arguments
from tests.server.client import Client

MakeClient = Callable[[web.Application], Awaitable[Client]]


async def test_healthy(client: Client) -> None:
    response = await client.get("/health")
    body = await response.json()
    assert response.status == 200
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body.pop("timestamp"))
    assert body.pop("version") == VERSION
    assert body == {"status": "healthy", "model_loaded": True, "model_version": "v1", "environment": "test"}
    assert (await client.get("/livez")).status == 200
    assert (await client.get("/readyz")).status == 200


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    models = tmp_path / "models"
    models.mkdir()
    return read(["--models", str(models), *state_arguments(tmp_path)], {})


async def test_without_a_model_it_lives_but_is_not_ready(
    empty: Settings, build: Build, aiohttp_client: MakeClient
) -> None:
    client = await aiohttp_client(await build(empty))
    response = await client.get("/health")
    body = await response.json()
    assert response.status == 503
    assert (body["status"], body["model_loaded"], body["model_version"]) == ("unhealthy", False, None)
    assert (await client.get("/livez")).status == 200
    assert (await client.get("/readyz")).status == 503
    for path in ("/reversal/predict", "/reversal/compare"):
        response = await client.post(path, json={"pair": "EUR/USD", "data": []})
        assert (response.status, (await response.json())["code"]) == (503, "MODEL_UNAVAILABLE")


async def test_if_every_version_fails_it_is_not_ready(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.app is not None
    monkeypatch.setattr(Detector, "trouble", lambda _: "planted")
    serving, breaker = client.app[REGISTRY].snapshot, client.app[CIRCUIT_BREAKER]
    first, *others = serving.detectors.values()
    for detector in others * FAILURES:
        breaker.note(detector, [ModelUnavailable("planted")])
    assert (await client.get("/readyz")).status == 200
    for _ in range(FAILURES):
        breaker.note(first, [ModelUnavailable("planted")])
    response = await client.get("/readyz")
    body = await response.json()
    assert (response.status, body["status"]) == (503, "unavailable")
    assert "every version" in body["reason"]
    breaker.tried(first, well=True)
    assert (await client.get("/readyz")).status == 200
    assert "circuit_closed version=v1" in caplog.text


async def test_a_bundle_broken_at_startup_is_logged_and_the_next_of_the_order_becomes_active(
    models: Path, settings: Settings, build: Build, aiohttp_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    (file,) = (models / "v1").glob("stage1-network-*")
    bundles.flip_byte(file)
    with caplog.at_level(logging.ERROR):
        client = await aiohttp_client(await build(settings))
    assert (await (await client.get("/health")).json())["model_version"] == "v2"
    assert f"bundle v1: {file.name}: SHA-256" in caplog.text
    listed = (await (await client.get("/reversal/models")).json())["data"]["versions"]
    assert listed["v1"]["loaded"] is False
    assert file.name in listed["v1"]["error"]
