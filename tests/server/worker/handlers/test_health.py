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
from tests.server.questions import asks
from tests.server.worker_fixture import Worker, experiment

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


async def test_it_is_not_ready_while_a_fallback_answers_for_the_active_version(worker: Worker) -> None:
    await worker.serve(active="v9")
    response = await worker.client.get("/readyz")
    body = await response.json()
    assert (response.status, body["status"]) == (503, "unavailable")
    assert body["reason"] == "the active version v9 is not loaded here, v1 answers instead"
    for path in ("/v2/health/ready", "/v2/models/reversal/ready", "/v2/models/reversal/versions/v9/ready"):
        assert (await worker.client.get(path)).status == 503
    assert (await worker.client.get("/v2/models/reversal/versions/v1/ready")).status == 200
    # What comes all the same is answered.
    assert (await worker.predict(asks(0.1)))["model_version"] == "v1"
    assert (await worker.client.get("/health")).status == 200
    await worker.serve(active="v2")
    assert (await worker.client.get("/readyz")).status == 200


async def test_it_is_ready_while_another_version_is_missing(worker: Worker) -> None:
    await worker.serve(experiment(variant_b="v9"))
    await worker.serve(active="v2", without=("v3",))
    for path in ("/readyz", "/v2/health/ready", "/v2/models/reversal/ready"):
        assert (await worker.client.get(path)).status == 200


async def test_before_the_first_switch_the_first_version_that_loads_is_the_active_one(worker: Worker) -> None:
    await worker.serve(active=None, without=("v1",))
    assert (await worker.client.get("/readyz")).status == 200
    assert (await (await worker.client.get("/health")).json())["model_version"] == "v2"
