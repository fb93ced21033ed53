from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from core.log_event import LogEvent
from server.api.endpoint import Endpoint
from server.api.endpoints import ENDPOINTS
from server.auth import access
from server.auth.access import Access, Forbidden, Level, RateLimited, Unauthorized
from server.auth.failed_tokens import LIMIT, WINDOW_SECONDS, FailedTokens
from server.auth.hosts import Hosts
from server.auth.token_texts import tokens
from server.protocol.messages import CALLER_HEADER, MANAGES_HEADER
from server.settings import Settings
from tests import market
from tests.application import Build
from tests.server.auth.tokens import bearer
from tests.server.client import Client
from tests.server.paths import filled
from tests.server.questions import asks

# docs/threat-model.md lists these. A path that is added here must be added there.
OPEN = {
    *("/health", "/livez", "/readyz", "/docs", "/docs/{file}", "/v2/health/live", "/v2/health/ready"),
    *("/dashboard", "/dashboard/{file}", "/dashboard/session", "/dashboard/session/end"),
}
# POST endpoints that accept an API token, or none, beside predictions. The others can change what is answered. They
# require an admin token, so that the audit log has every call.
SENT_WITH_AN_API_TOKEN = {
    "/dashboard/session",
    "/dashboard/session/end",
    "/reversal/experiments/{id}/evaluate",
    "/reversal/experiments/plan",
    "/reversal/explain",
    "/reversal/outcomes",
    "/v2/repository/index",
}


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> Access:
    monkeypatch.setattr(access, "WAIT_SECONDS", 0.0)
    api = tokens(["backend:one, two", "# old ones\nthree # until May"], Level.API)
    return Access([*api, *tokens(["ops:root"], Level.ADMIN)])


@pytest.mark.parametrize(
    ("token", "name"), [("one", "backend"), ("two", "api-3fc4ccfe"), ("three", "api-8b5b9db0"), ("root", "ops")]
)
async def test_several_tokens_are_valid_at_once_and_management_includes_the_rest(
    doors: Access, token: str, name: str
) -> None:
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
async def test_a_request_without_a_valid_token_is_refused(doors: Access, headers: dict[str, str]) -> None:
    assert not doors.allows(headers, Level.API)
    with pytest.raises(Unauthorized):
        await doors.check(headers, "", Level.API)


async def test_a_valid_token_of_a_lower_level_is_forbidden(doors: Access) -> None:
    with pytest.raises(Forbidden, match=r"backend .*admin token"):
        await doors.check(bearer("one"), "", Level.ADMIN)


async def test_many_addresses_over_the_limit_do_not_fill_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(access, "WAIT_SECONDS", 0.0)
    seconds = 100.0
    monkeypatch.setattr(access, "monotonic", lambda: seconds)
    doors = Access(tokens(["one"], Level.API), FailedTokens(lambda: 0.0))

    async def guess(addresses: Iterable[int]) -> None:
        for address in addresses:
            for _ in range(LIMIT + 1):
                with pytest.raises((Unauthorized, RateLimited)):
                    await doors.check(bearer("guess"), f"192.0.2.{address}", Level.API)

    await guess(range(50))
    seconds = 101.0
    await guess([50])
    found = [record.msg.fields for record in caplog.records if isinstance(record.msg, LogEvent)]
    assert [(each["address"], each["count"]) for each in found] == [("192.0.2.0", 1), ("192.0.2.50", 50)]


async def test_only_wrong_tokens_are_counted_for_each_address_separately(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(access, "WAIT_SECONDS", 0.0)
    now = 0.0
    doors = Access(tokens(["one"], Level.API), FailedTokens(lambda: now))
    for sent in ({}, bearer(""), bearer("  "), {"Authorization": "Basic b25lOg=="}, {"Authorization": "guess"}) * LIMIT:
        with pytest.raises(Unauthorized, match="missing"):
            await doors.check(sent, "1.2.3.4", Level.API)
    for _ in range(LIMIT):
        with pytest.raises(Unauthorized, match="wrong"):
            await doors.check(bearer("guess"), "1.2.3.4", Level.API)
    now = WINDOW_SECONDS / 4
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(RateLimited) as refused:
                await doors.check(bearer("guess"), "1.2.3.4", Level.API)
            assert refused.value.retry_after == 0.75 * WINDOW_SECONDS
    assert caplog.text.count(f"address_rate_limited address=1.2.3.4 limit={LIMIT}") == 1
    assert "guess" not in caplog.text
    await doors.check(bearer("one"), "1.2.3.4", Level.API)
    with pytest.raises(Unauthorized, match="missing"):
        await doors.check({}, "1.2.3.4", Level.API)
    with pytest.raises(Unauthorized):
        await doors.check(bearer("guess"), "1.2.3.5", Level.API)
    now = WINDOW_SECONDS + 1.0
    with pytest.raises(Unauthorized):
        await doors.check(bearer("guess"), "1.2.3.4", Level.API)


async def test_without_tokens_every_request_is_allowed_except_from_pages_of_other_machines() -> None:
    doors = Access([])
    assert doors.allows({}, Level.ADMIN)
    for headers in ({}, {"Origin": "http://localhost:3000"}, {"Origin": "http://[::1]:8000"}):
        assert await doors.check(headers, "", Level.ADMIN) == "anybody"  # plain-english: a value in the audit log
    for origin in ("http://evil.example", "http://localhost.evil.example", "null", "", "http://[evil]"):
        with pytest.raises(Forbidden):
            await doors.check({"Origin": origin}, "", Level.ADMIN)
        with pytest.raises(Forbidden):
            doors.check_origin("POST", origin)
        doors.check_origin("GET", origin)  # no browser shows the page the answer


async def test_without_tokens_pages_of_a_listed_origin_can_write_but_not_manage() -> None:
    doors = Access([], origins=("https://desk.example",))
    doors.check_origin("POST", "https://desk.example")
    with pytest.raises(Forbidden, match="manage"):
        await doors.check({"Origin": "https://desk.example"}, "", Level.ADMIN)
    with pytest.raises(Forbidden, match=r"POST .*REVERSAL_CORS_ORIGINS"):
        doors.check_origin("POST", "https://desk.example:8443")


def test_management_is_allowed_to_an_admin_token_and_without_tokens_to_this_machine(doors: Access) -> None:
    assert [doors.manages(bearer(token)) for token in ("root", "one", "guess")] == [True, False, False]
    assert not doors.manages({})
    assert Access([]).manages({})
    assert Access([]).manages({"Origin": "http://localhost:3000"})
    assert not Access([], origins=("https://desk.example",)).manages({"Origin": "https://desk.example"})


def test_hosts_are_checked_only_without_tokens() -> None:
    evil = {"Host": "evil.example"}
    assert Access([]).allows(evil, Level.API)
    assert not Access([], hosts=Hosts(())).allows(evil, Level.API)
    assert Access([], hosts=Hosts(("evil.example",))).allows(evil, Level.API)
    guarded = Access(tokens(["one"], Level.API), hosts=Hosts(()))
    assert guarded.allows(evil | bearer("one"), Level.API)
    guarded.check_host("evil.example")


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


def test_nothing_else_is_open_and_every_change_requires_an_admin_token() -> None:
    assert {each.path for each in ENDPOINTS if each.level is Level.OPEN} == OPEN
    for each in ENDPOINTS:
        if each.method != "GET" and not each.is_prediction and each.path not in SENT_WITH_AN_API_TOKEN:
            assert each.level is Level.ADMIN, each


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
async def test_every_endpoint_requires_its_level_of_token(guarded: Client, endpoint: Endpoint) -> None:
    path = filled(endpoint.path)
    statuses = {}
    for token, headers in {"none": {}, "api": bearer("first"), "admin": bearer("second")}.items():
        async with guarded.request(endpoint.method, path, headers=headers) as response:
            statuses[token] = response.status
            if token == "none" and endpoint.level is not Level.OPEN:  # noqa: S105 - not a token
                assert (await response.json())["code"] in {"UNAUTHORIZED", "RATE_LIMITED"}
    refused = {token for token, status in statuses.items() if status in {401, 403, 429}}
    if endpoint.level is Level.OPEN:
        assert refused == set()
    elif endpoint.level is Level.ADMIN:
        assert refused == {"none", "api"}
        assert statuses["api"] == 403
    else:
        assert refused == {"none"}
        assert statuses["none"] == 401


async def test_a_prediction_needs_a_token(guarded: Client) -> None:
    for headers, status in (({}, 401), (bearer("wrong"), 401), (bearer("first"), 200), (bearer("second"), 200)):
        response = await guarded.post("/reversal/predict", json=asks(0.9), headers=headers)
        assert response.status == status
        assert response.headers["Content-Type"].startswith("application/json")
        assert response.headers.get("WWW-Authenticate") == (None if status == 200 else "Bearer")


async def test_only_an_admin_token_replaces_the_rule_of_labels(guarded: Client) -> None:
    experiment = {"experiment_id": "e", "name": "n", "variant_a": "v1", "variant_b": "v2", "traffic_split": 0.5}
    assert (await guarded.post("/reversal/experiments", json=experiment, headers=bearer("second"))).status == 201
    candles = {"pair": "EUR/USD", "data": market.body(count=20)["data"]}
    rule = {**candles, "horizon": 2, "max_loss_pips": 5}
    assert (await guarded.post("/reversal/experiments/e/activate", headers=bearer("second"))).status == 200
    asked = {**candles, "user_id": "ann"}
    assert (await guarded.post("/reversal/predict", json=asked, headers=bearer("first"))).status == 200

    async def recorded() -> bool:
        metrics = await guarded.get("/reversal/experiments/e/metrics", headers=bearer("first"))
        variants = (await metrics.json())["data"]["variants"].values()
        return bool(sum(variant["metrics"]["count"] for variant in variants) == 1)

    for _ in range(2_000):  # until the keeper has drained the journal
        if await recorded():
            break

    async def evaluate(profit: float, headers: dict[str, str]) -> tuple[int, Any]:
        body = {**rule, "min_profit_pips": profit, "replace": True}
        response = await guarded.post("/reversal/experiments/e/evaluate", json=body, headers=headers)
        return response.status, (await response.json())["data"]

    forged = bearer("first") | {MANAGES_HEADER: "yes", CALLER_HEADER: "night-shift"}
    assert (await evaluate(6, bearer("first")))[0] == 200  # the first rule replaces none
    assert (await evaluate(7, bearer("first")))[0] == 403
    assert (await evaluate(7, forged))[0] == 403
    status, data = await evaluate(8, bearer("second"))
    assert (status, data["label_rule"]["min_profit_pips"]) == (200, 8)
    listed = (await (await guarded.get("/reversal/experiments", headers=bearer("first"))).json())["data"]
    assert [each["chosen_by"] for each in listed["experiments"][0]["label_rules"]] == ["backend", "night-shift"]


async def test_a_forbidden_call_is_logged_with_the_name_of_its_token(
    guarded: Client, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await guarded.post("/reversal/models/v2/switch", headers=bearer("first"))).status == 403
    (line,) = [message for message in caplog.messages if message.startswith("request_refused ")]
    assert 'endpoint="POST /reversal/models/{version}/switch" code=FORBIDDEN path= count=1 error=' in line
    assert "backend" in line
