"""Loading and unloading by the Open Inference Protocol."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from server.settings import Settings
from tests import bundles
from tests.server.client import Client

PATH = "/v2/repository/models/reversal"


async def changed(client: Client, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    data = b"" if body is None else json.dumps(body).encode()
    response = await client.post(path, data=io.BytesIO(data))
    answer: dict[str, Any] = await response.json()
    return response.status, answer


def named(version: str) -> dict[str, Any]:
    return {"parameters": {"version": version, "unload_dependents": False}}


async def test_a_version_is_loaded_and_unloaded_by_its_name(client: Client, models: Path, settings: Settings) -> None:
    bundles.write(models, "v4")
    for path, body in ((f"{PATH}/load", named("v4")), (f"{PATH}/load?version=v4", None)):
        status, answer = await changed(client, path, body)
        assert (status, answer["data"]) == (200, {"versions": ["v4"], "loaded": True})
    for path, body in ((f"{PATH}/unload", named("v4")), (f"{PATH}/unload?version=v3", None)):
        status, answer = await changed(client, path, body)
        assert (status, answer["data"]["loaded"]) == (200, False)
    calls = [json.loads(line) for line in settings.audit.read_text().splitlines()]
    assert [call["call"] for call in calls] == [f"POST {PATH}/load"] * 2 + [f"POST {PATH}/unload"] * 2
    assert [call["answer"]["versions"] for call in calls] == [["v4"], ["v4"], ["v4"], ["v3"]]


async def test_without_a_version_all_are_loaded(client: Client) -> None:
    await changed(client, f"{PATH}/unload", named("v3"))
    status, answer = await changed(client, f"{PATH}/load")
    assert (status, answer["data"]["versions"]) == (200, ["v1", "v2", "v3"])


@pytest.mark.parametrize(
    ("path", "body", "refusal"),
    [
        (f"{PATH}/unload", None, (409, "CONFLICT")),
        (f"{PATH}/unload", named("v1"), (409, "CONFLICT")),
        (f"{PATH}/unload", named("v9"), (404, "UNKNOWN_VERSION")),
        (f"{PATH}/load", named("v9"), (404, "UNKNOWN_VERSION")),
        ("/v2/repository/models/other/load", None, (404, "NOT_FOUND")),
        (f"{PATH}/load", {"parameters": {"config": "{}"}}, (400, "VALIDATION_ERROR")),
        (f"{PATH}/load?version=v2", named("v3"), (400, "VALIDATION_ERROR")),
        (f"{PATH}/load", {"parameters": {"version": 3}}, (400, "VALIDATION_ERROR")),
        (f"{PATH}/load", [], (400, "VALIDATION_ERROR")),
    ],
)
async def test_a_refusal_has_the_form(client: Client, path: str, body: object, refusal: tuple[int, str]) -> None:
    status, answer = await changed(client, path, body)
    assert (status, answer["code"]) == refusal
    assert sorted(answer) == ["code", "error"]
