from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from server.api.endpoint import Endpoint
from server.api.endpoints import ENDPOINTS
from server.auth import access
from server.auth.access import FAILURES, WINDOW_SECONDS, Access, Forbidden, Level, RateLimited, Unauthorized, tokens
from server.auth.hosts import Hosts
from server.settings import Settings
from tests.application import Build
from tests.server.auth.tokens import bearer
from tests.server.client import Client
from tests.server.paths import filled
from tests.server.questions import asks

# docs/threat-model.md tells of these; whatever is added here has to be told there.
OPEN = {"/health", "/livez", "/readyz"}
# What an API token may send beside predictions. Anything else that is sent may change what is answered, and takes an
# admin token, so that the audit log has it.
SENT_WITH_AN_API_TOKEN = {"/reversal/experiments/{id}/evaluate", "/reversal/outcomes"}


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> Access:
    monkeypatch.setattr(access, "WAIT_SECONDS", 0.0)
    api = tokens(["backend:one, two", "# old ones\nthree # until May"], Level.API)
    return Access([*api, *tokens(["ops:root"], Level.ADMIN)])


def test_tokens_have_a_name_or_one_made_of_their_hash() -> None:
    found = tokens(["a:one two", "\n# nothing\n\n"], Level.API)
    assert [token.name for token in found] == ["a", "api-3fc4ccfe"]  # sha256sum of `two`
    assert not any("two" in str(field) for token in found for field in token)


@pytest.mark.parametrize(
    ("token", "name"), [("one", "backend"), ("two", "api-3fc4ccfe"), ("three", "api-8b5b9db0"), ("root", "ops")]
)
async def test_several_are_good_at_once_and_management_includes_the_rest(doors: Access, token: str, name: str) -> None:
    assert doors.allows(bearer(token), Level.API)
    assert await doors.check(bearer(token), "", Level.API) == name
    assert doors.allows(bearer(token), Level.ADMIN) is (token == "root")  # noqa: S105


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(""),
        bearer("four"),
        bearer("on"),
        bearer("backend:one"),
        {"Authorization": "Basic one"},
        bearer("é"),
        bearer("\udcff"),
    ],
)
async def test_what_is_no_token_is_refused(doors: Access, headers: dict[str, str]) -> None:
    assert not doors.allows(headers, Level.API)
    with pytest.raises(Unauthorized):
        await doors.check(headers, "", Level.API)


async def test_a_good_token_for_something_else_is_told_so(doors: Access) -> None:
    with pytest.raises(Forbidden, match="the token backend is not for this: an admin token is"):
        await doors.check(bearer("one"), "", Level.ADMIN)


async def test_only_failures_are_slowed_down_each_address_by_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(access, "WAIT_SECONDS", 0.0)
    now = 0.0
    doors = Access(tokens(["one"], Level.API), lambda: now)
    for _ in range(FAILURES):
        with pytest.raises(Unauthorized):
            await doors.check(bearer("guess"), "1.2.3.4", Level.API)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(RateLimited):
                await doors.check(bearer("guess"), "1.2.3.4", Level.API)
    assert caplog.text.count("wrong tokens came from 1.2.3.4") == 1
    assert "guess" not in caplog.text
    await doors.check(bearer("one"), "1.2.3.4", Level.API)
    with pytest.raises(Unauthorized):
        await doors.check(bearer("guess"), "1.2.3.5", Level.API)
    now = WINDOW_SECONDS + 1.0
    with pytest.raises(Unauthorized):
        await doors.check(bearer("guess"), "1.2.3.4", Level.API)


async def test_without_tokens_everybody_may_do_everything_but_for_pages_of_other_machines() -> None:
    doors = Access([])
    assert doors.allows({}, Level.ADMIN)
    for headers in ({}, {"Origin": "http://localhost:3000"}, {"Origin": "http://[::1]:8000"}):
        assert await doors.check(headers, "", Level.ADMIN) == "anybody"
    for origin in ("http://evil.example", "http://localhost.evil.example", "null", "", "http://[evil]"):
        with pytest.raises(Forbidden):
            await doors.check({"Origin": origin}, "", Level.ADMIN)
        with pytest.raises(Forbidden):
            doors.check_origin("POST", origin)
        doors.check_origin("GET", origin)  # whose answer no browser shows it


async def test_without_tokens_pages_of_a_listed_origin_may_write_and_not_manage() -> None:
    doors = Access([], origins=("https://desk.example",))
    doors.check_origin("POST", "https://desk.example")
    with pytest.raises(Forbidden, match="may not manage"):
        await doors.check({"Origin": "https://desk.example"}, "", Level.ADMIN)
    with pytest.raises(Forbidden, match="may not send POST requests"):
        doors.check_origin("POST", "https://desk.example:8443")


def test_hosts_are_looked_at_without_tokens_alone() -> None:
    evil = {"Host": "evil.example"}
    assert Access([]).allows(evil, Level.API)
    assert not Access([], hosts=Hosts(())).allows(evil, Level.API)
    assert Access([], hosts=Hosts(("evil.example",))).allows(evil, Level.API)
    guarded = Access(tokens(["one"], Level.API), hosts=Hosts(()))
    assert guarded.allows(evil | bearer("one"), Level.API)
    guarded.check_host("evil.example")


def test_a_name_goes_into_headers_and_must_be_printable() -> None:
    with pytest.raises(ValueError, match="is no name"):
        tokens(["b\x01b:secret"], Level.ADMIN)


@pytest.mark.parametrize("text", ["bob:", "one two:", ":"])
def test_an_empty_token_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is empty"):
        tokens([text], Level.ADMIN)


@pytest.fixture
async def guarded(
    settings: Settings,
    build: Build,
    aiohttp_client: Callable[[web.Application], Awaitable[Client]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Client:
    monkeypatch.setattr(access, "WAIT_SECONDS", 0.0)
    file = tmp_path / "tokens"
    file.write_text("night-shift:second\n")
    with_tokens = dataclasses.replace(settings, api_token="backend:first", admin_token_file=file)  # noqa: S106
    return await aiohttp_client(await build(with_tokens))


def test_nothing_else_is_open_and_what_may_change_something_takes_an_admin_token() -> None:
    assert {each.path for each in ENDPOINTS if each.level is Level.OPEN} == OPEN
    for each in ENDPOINTS:
        if each.method != "GET" and not each.is_prediction and each.path not in SENT_WITH_AN_API_TOKEN:
            assert each.level is Level.ADMIN, each


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
async def test_every_endpoint_asks_for_the_token_that_it_should(guarded: Client, endpoint: Endpoint) -> None:
    path = filled(endpoint.path)
    statuses = {}
    for who, headers in {"nobody": {}, "api": bearer("first"), "admin": bearer("second")}.items():
        async with guarded.request(endpoint.method, path, headers=headers) as response:
            statuses[who] = response.status
            if who == "nobody" and endpoint.level is not Level.OPEN:
                assert (await response.json())["code"] in {"UNAUTHORIZED", "RATE_LIMITED"}
    refused = {who for who, status in statuses.items() if status in {401, 403, 429}}
    if endpoint.level is Level.OPEN:
        assert refused == set()
    elif endpoint.level is Level.ADMIN:
        assert refused == {"nobody", "api"}
        assert statuses["api"] == 403
    else:
        assert refused == {"nobody"}
        assert statuses["nobody"] == 401


async def test_a_prediction_needs_a_token(guarded: Client) -> None:
    for headers, status in (({}, 401), (bearer("wrong"), 401), (bearer("first"), 200), (bearer("second"), 200)):
        response = await guarded.post("/reversal/predict", json=asks(0.9), headers=headers)
        assert response.status == status
        assert response.headers["Content-Type"].startswith("application/json")
        assert response.headers.get("WWW-Authenticate") == (None if status == 200 else "Bearer")


async def test_who_reaches_for_more_than_is_his_is_told_of(guarded: Client, caplog: pytest.LogCaptureFixture) -> None:
    assert (await guarded.post("/reversal/models/v2/switch", headers=bearer("first"))).status == 403
    assert (
        "/reversal/models/{version}/switch' code=FORBIDDEN place=- count=1: the token backend is not for" in caplog.text
    )
