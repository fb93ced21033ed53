from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from yarl import URL

from core import errors as core_errors
from core.errors import ModelUnavailable, ServiceError
from server.http import errors
from server.settings import Settings
from tests.application import Build
from tests.server.client import Client


def subclasses(of: type[ServiceError]) -> list[type[ServiceError]]:
    return [found for child in of.__subclasses__() for found in (child, *subclasses(child))]


def test_every_code_has_a_status() -> None:
    for error in subclasses(ServiceError):
        assert error.code in errors.STATUS, error
    assert core_errors.ServiceError.code == "INTERNAL"


async def test_an_unknown_error_is_logged_and_its_text_is_not_sent(
    settings: Settings,
    build: Build,
    aiohttp_client: Callable[[web.Application], Awaitable[Client]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(_: web.Request) -> web.Response:
        raise RuntimeError("a secret of the inside")

    app = await build(settings)
    app.router.add_get("/fails", fail)
    response = await (await aiohttp_client(app)).get("/fails")
    assert response.status == 500
    answer = await response.json()
    assert answer["code"] == "INTERNAL"
    assert "secret" not in answer["error"]
    assert "a secret of the inside" in caplog.text


async def test_a_path_cannot_forge_a_line_of_the_log(
    settings: Settings,
    build: Build,
    aiohttp_client: Callable[[web.Application], Awaitable[Client]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(_: web.Request) -> web.Response:
        raise ModelUnavailable("not now")

    async def break_(_: web.Request) -> web.Response:
        raise ZeroDivisionError

    app = await build(settings)
    app.router.add_get("/fails/{name}", fail)
    app.router.add_get("/breaks/{name}", break_)
    client = await aiohttp_client(app)
    assert (await client.get(URL("/fails/a%0Aforged?token=b", encoded=True))).status == 503
    assert (await client.get(URL("/breaks/a%0Aforged?token=b", encoded=True))).status == 500
    assert caplog.messages == [
        'request_refused endpoint="GET /fails/{name}" code=MODEL_UNAVAILABLE path= count=1 error="not now"',
        'request_failed request="GET /breaks/a%0Aforged"',
    ]


async def test_an_unknown_path_is_a_404(client: Client) -> None:
    response = await client.get("/nothing")
    answer = await response.json()
    assert (response.status, answer["code"]) == (404, "NOT_FOUND")
    assert "/nothing" in answer["error"]


@pytest.mark.parametrize(("path", "advice"), [("/nothing/", "remove the slash"), ("/", "GET /openapi.json")])
async def test_the_advice_of_a_404_can_be_followed(client: Client, path: str, advice: str) -> None:
    assert advice in (await (await client.get(path)).json())["error"]


async def test_a_wrong_method_is_a_405_that_names_the_allowed_one(client: Client) -> None:
    response = await client.get("/reversal/predict")
    answer = await response.json()
    assert (response.status, answer["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["Allow"] == "POST"
    assert "POST" in answer["error"]
