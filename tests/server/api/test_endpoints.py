"""The table of endpoints and all that follows from it, tested with rows that only this module has."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Annotated, Any

import msgspec
import pytest
from aiohttp import web
from msgspec import Meta

from server.api import endpoints
from server.api.endpoint import BadEndpoint, Endpoint
from server.api.openapi.document import document
from server.api.schemas import predictions
from server.api.schemas.json_schema import TEXT, record
from server.auth.access import Level
from server.http.app_keys import CLOCK
from server.http.bodies.body import read_json
from server.http.bodies.json_decoding import decode
from server.http.deadline import HEADER
from server.http.envelope import success
from server.keeper.routes import add_routes as add_keeper_routes
from server.settings import Settings
from server.worker import handlers
from server.worker.routes import add_routes as add_worker_routes
from tests import described
from tests.application import Build
from tests.market import ROOT
from tests.server.auth.tokens import bearer
from tests.server.client import Client
from tests.server.paths import filled

API, ADMIN = bearer("first"), bearer("second")


class PlantedNote(msgspec.Struct):
    """Body of the planted endpoints."""

    text: Annotated[str, Meta(max_length=10)]


DECODER = msgspec.json.Decoder(PlantedNote)


async def repeat(request: web.Request) -> web.Response:
    note = decode(DECODER, await read_json(request))
    return success({"text": note.text}, request.app[CLOCK].now())


def planted(name: str, **fields: Any) -> Endpoint:  # noqa: ANN401
    common: dict[str, Any] = {
        "operation_id": name,
        "handler": "planted.repeat",
        "request": PlantedNote,
        "largest_body": 1_000,
        "answer": "RepeatedNote",
    }
    return Endpoint("POST", f"/planted/{name}", "Say it again", **common | fields)


BY_WORKER = planted("worker", answered_by="worker", is_prediction=True)
BY_KEEPER = planted("keeper", answered_by="keeper")
BY_ADMIN = planted("admin", answered_by="keeper", level=Level.ADMIN)
PLANTED = (BY_WORKER, BY_KEEPER, BY_ADMIN)
each_planted = pytest.mark.parametrize("endpoint", PLANTED, ids=lambda endpoint: endpoint.operation_id)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Add the planted rows, their handler in a module of each process, and the schema of their answer."""
    module = ModuleType("planted")
    module.__dict__["repeat"] = repeat
    for process in ("worker", "keeper"):
        monkeypatch.setitem(sys.modules, f"server.{process}.handlers.planted", module)
    monkeypatch.setattr(endpoints, "ENDPOINTS", (*endpoints.ENDPOINTS, *PLANTED))
    monkeypatch.setitem(predictions.ANSWERS, "RepeatedNote", record({"text": TEXT}))
    forget_the_description()
    yield
    monkeypatch.undo()
    forget_the_description()


def forget_the_description() -> None:
    document.cache_clear()
    described.description.cache_clear()


@pytest.fixture
def guarded(settings: Settings) -> Settings:
    return replace(settings, api_token="backend:first", admin_token="ops:second")  # noqa: S106


@pytest.fixture
async def client(
    table: None,  # noqa: ARG001 - the rows must be added first
    guarded: Settings,
    build: Build,
    aiohttp_client: Callable[[web.Application], Awaitable[Client]],
) -> Client:
    return await aiohttp_client(await build(guarded))


async def sent(client: Client, endpoint: Endpoint, data: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    given = ADMIN | {"Content-Type": "application/json"} | {name.replace("_", "-"): headers[name] for name in headers}
    response = await client.request(endpoint.method, endpoint.path, data=data, headers=given)
    return response.status, await response.json()


def audited(settings: Settings) -> list[dict[str, Any]]:
    return [json.loads(line) for line in settings.audit.read_text().splitlines()]


@each_planted
async def test_it_answers_a_client_with_the_token_of_its_level(client: Client, endpoint: Endpoint) -> None:
    status, answer = await sent(client, endpoint, b'{"text": "x"}', **ADMIN)
    assert (status, answer["data"]) == (200, {"text": "x"})
    assert (await sent(client, endpoint, b'{"text": "x"}', Authorization=""))[0] == 401
    status, answer = await sent(client, endpoint, b'{"text": "x"}', **API)
    assert (status, answer.get("code")) == ((403, "FORBIDDEN") if endpoint is BY_ADMIN else (200, None))


async def test_only_a_call_that_needs_an_admin_token_is_audited(client: Client, guarded: Settings) -> None:
    for endpoint in PLANTED:
        for data in (b'{"text": "x"}', b"{}"):
            await sent(client, endpoint, data, **ADMIN)
    well, ill = audited(guarded)
    assert (well["call"], well["answer"]) == ("POST /planted/admin", {"text": "x"})
    assert well["who"] == "ops"  # plain-english: a field of the audit log
    assert (ill["call"], ill["answer"]["code"]) == ("POST /planted/admin", "VALIDATION_ERROR")


@each_planted
async def test_its_body_is_bounded(client: Client, endpoint: Endpoint) -> None:
    whole = b'{"text": "x"}'.ljust(1_000)
    assert (await sent(client, endpoint, whole))[0] == 200
    status, answer = await sent(client, endpoint, whole + b" ")
    assert (status, answer["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert f"1,000 bytes that {endpoint.path} takes" in answer["error"]


@each_planted
async def test_its_body_must_arrive_in_time(client: Client, endpoint: Endpoint) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    head = f"POST {endpoint.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n{HEADER}: 20\r\n"
    writer.write(f"{head}Authorization: {ADMIN['Authorization']}\r\n\r\n{{".encode())
    assert b" 504 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    status, answer = await sent(client, endpoint, b'{"text": "x"}', X_Request_Timeout_Ms="soon")
    assert (status, answer["details"][0]["path"]) == (422, HEADER)


@each_planted
async def test_another_method_is_refused(client: Client, endpoint: Endpoint) -> None:
    response = await client.get(endpoint.path, headers=ADMIN)
    assert (response.status, (await response.json())["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["Allow"] == "POST"


async def test_refusals_are_counted_if_the_row_is_a_prediction(client: Client) -> None:
    for endpoint, counted in ((BY_KEEPER, False), (BY_WORKER, True)):
        assert (await sent(client, endpoint, b'{"text": "more than ten letters"}'))[0] == 422
        metrics = await (await client.get("/metrics", headers=ADMIN)).text()
        assert ('reversal_prediction_errors_total{code="VALIDATION_ERROR"} 1.0' in metrics) is counted


@each_planted
async def test_it_is_described(client: Client, endpoint: Endpoint) -> None:
    found = await (await client.get("/openapi.json", headers=API)).json()
    told = found["paths"][endpoint.path]["post"]
    assert told["operationId"] == endpoint.operation_id
    assert told["security"] == [{"token": []}]
    assert told["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/PlantedNote"}
    assert "At most 1,000 bytes" in told["requestBody"]["description"]
    assert [each["name"] for each in told["parameters"]] == [HEADER]
    data = told["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["data"]
    assert data == {"$ref": "#/components/schemas/RepeatedNote"}
    assert found["components"]["schemas"].keys() >= {"PlantedNote", "RepeatedNote"}
    codes = {code for answer in told["responses"].values() for code in answer.get("x-codes", ())}
    assert codes >= {"PAYLOAD_TOO_LARGE", "DEADLINE_EXCEEDED", "UNAUTHORIZED", "INTERNAL"}
    assert ("FORBIDDEN" in codes) is (endpoint is BY_ADMIN)
    assert ("STORE_UNAVAILABLE" in codes) is (endpoint is not BY_WORKER)


async def test_every_call_that_needs_an_admin_token_is_audited(
    guarded: Settings, build: Build, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> None:
    client = await aiohttp_client(await build(guarded))
    for each in endpoints.ENDPOINTS:
        await client.request(each.method, filled(each.path), headers=ADMIN)
    managing = [f"{each.method} {filled(each.path)}" for each in endpoints.ENDPOINTS if each.level is Level.ADMIN]
    assert [line["call"] for line in audited(guarded)] == managing


def test_a_worker_must_not_answer_an_audited_call() -> None:
    with pytest.raises(BadEndpoint, match=r"POST /planted/x: an ADMIN .* the keeper"):
        planted("x", answered_by="worker", level=Level.ADMIN)


def test_the_keeper_must_not_answer_a_call_without_a_token() -> None:
    with pytest.raises(BadEndpoint, match=r"POST /planted/x: an OPEN .* a worker"):
        planted("x", answered_by="keeper", level=Level.OPEN)


def test_the_answer_of_an_audited_call_has_the_envelope() -> None:
    with pytest.raises(BadEndpoint, match=r"POST /planted/x: .* ADMIN .* the envelope"):
        planted("x", answered_by="keeper", level=Level.ADMIN, bare=True)


def test_a_get_has_no_body() -> None:
    with pytest.raises(BadEndpoint, match=r"GET /x: .* POST"):
        Endpoint("GET", "/x", "", operation_id="x", answered_by="worker", handler="x.x", request=PlantedNote)


@pytest.mark.parametrize(
    ("handler", "fault"),
    [
        ("nowhere.repeat", "POST /planted/x: there is no module server.worker.handlers.nowhere"),
        ("health.nothing", "POST /planted/x: there is no function 'nothing' in server.worker.handlers.health"),
        ("health.bare", "POST /planted/x: server.worker.handlers.health.bare is not a coroutine function"),
    ],
)
def test_a_row_without_a_handler_is_refused_at_startup(handler: str, fault: str) -> None:
    with pytest.raises(BadEndpoint, match=f"^{re.escape(fault)}$"):
        planted("x", answered_by="worker", handler=handler).handler_in(handlers)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (planted("worker", answered_by="worker", operation_id="x"), "POST /planted/worker occurs twice in the table"),
        (planted("x", answered_by="worker", operation_id="predict"), "predict occurs twice in the table"),
        (planted("x", answered_by="worker", answer="Nothing"), "no answer 'Nothing'"),
        (planted("x", answered_by="worker", codes=("NO_CODE",)), "there is no code 'NO_CODE'"),
        (planted("x", answered_by="worker", codes_in_body=("NO_CODE",)), "there is no code 'NO_CODE'"),
    ],
    ids=["path", "operation", "answer", "code", "code in body"],
)
@pytest.mark.usefixtures("table")
def test_a_bad_row_is_refused_at_startup(row: Endpoint, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "ENDPOINTS", (*endpoints.ENDPOINTS, row))
    for add in (add_worker_routes, add_keeper_routes):
        with pytest.raises(BadEndpoint, match=f"^{re.escape(f'{row}: {fault}')}"):
            add(web.Application())


def test_a_path_is_written_only_in_the_table() -> None:
    """The health check is a client of its own, which imports nothing of the server."""
    paths = {each.path for each in endpoints.ENDPOINTS}
    for file in (ROOT / "server").rglob("*.py"):
        if file.name not in {"endpoints.py", "health_check.py"}:
            constants = (node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant))
            assert not paths & {str(value).split(" ")[-1] for value in constants if "\n" not in str(value)}, file


def test_every_endpoint_is_documented() -> None:
    told = set(mentioned((ROOT / "docs" / "api.md").read_text()))
    assert sorted({str(each) for each in endpoints.ENDPOINTS} - told) == []


def mentioned(text: str) -> Iterator[str]:
    """The endpoints that a page names: `POST /a/b, /c` names `POST /a/b`, and either `POST /c` or `POST /a/c`."""
    for method, first, others in re.findall(r"\b(GET|POST) (/[^\s`,?]*)((?:`?, `?/[^\s`,?]*)*)", text):
        yield f"{method} {first}"
        for other in re.findall(r"/[^\s`,?]*", others):
            yield f"{method} {other}"
            yield f"{method} {first.rpartition('/')[0]}{other}"
