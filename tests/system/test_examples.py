"""Every example of /openapi.json, sent to a real server in the order of the table, succeeds as described."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from server.api.endpoints import ENDPOINTS
from server.api.openapi import examples
from server.protocol.pages import EVENTS
from tests import described
from tests.market import ONNX, ROOT
from tests.processes import Server, serving
from tests.server.auth.tokens import bearer

TOKEN = examples.bodies()["SignIn"]["token"]


@pytest.fixture(params=[False, True], ids=["without tokens", "with tokens"])
def guarded(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def server(*, guarded: bool) -> Iterator[Server]:
    with serving("--models", str(ONNX), REVERSAL_ADMIN_TOKEN=f"ops:{TOKEN}" if guarded else "") as found:
        yield found


def example_of(description: dict[str, Any], operation: dict[str, Any]) -> bytes | None:
    """The body that the page offers; None if the endpoint takes none."""
    if "requestBody" not in operation:
        return None
    (reference,) = operation["requestBody"]["content"]["application/json"]["examples"].values()
    kind = reference["$ref"].removeprefix("#/components/examples/")
    return json.dumps(description["components"]["examples"][kind]["value"]).encode()


def path_of(path: str, operation: dict[str, Any]) -> str:
    for each in operation.get("parameters", ()):
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", quote(each["example"]))
    return path


async def test_each_example_succeeds(server: Server, *, guarded: bool) -> None:
    headers = {"Content-Type": "application/json"} | (bearer(TOKEN) if guarded else {})
    async with aiohttp.ClientSession(server.url, headers=headers) as session:
        description = await (await session.get("/openapi.json")).json()
        assert ("securitySchemes" in description["components"]) is guarded
        for endpoint in ENDPOINTS:
            operation = description["paths"][endpoint.path][endpoint.method.lower()]
            path = path_of(endpoint.path, operation)
            async with session.request(endpoint.method, path, data=example_of(description, operation)) as answer:
                # A stream does not end.
                is_stream = answer.content_type == EVENTS
                body = await (answer.content.readuntil(b"\n\n") if is_stream else answer.read())
            assert answer.status == endpoint.status, (str(endpoint), body[:500])
            assert answer.content_type in operation["responses"][str(endpoint.status)]["content"], str(endpoint)
            described.check(endpoint.method, endpoint.path, answer.status, body, answer.content_type)
            if endpoint.operation_id == "predictBatch":
                assert [each["success"] for each in json.loads(body)["data"]["results"]] == [True, True]
            if endpoint.operation_id == "predict":
                assert "warnings" not in json.loads(body)["data"]


def test_every_body_has_an_example() -> None:
    assert {each.request.__name__ for each in ENDPOINTS if each.request is not None} == examples.bodies().keys()


@pytest.mark.parametrize(("kind", "file"), [("PredictRequest", "predict.json"), ("Evaluate", "evaluate.json")])
def test_the_examples_are_those_of_the_documents(kind: str, file: str) -> None:
    committed = json.loads((ROOT / "docs" / "examples" / file).read_text())
    assert examples.bodies()[kind] == {name: value for name, value in committed.items() if value is not None}
