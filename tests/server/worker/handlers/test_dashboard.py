"""The page at /dashboard: its files and headers, and the sessions by which a browser has a token's rights."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from server.auth import access, sessions
from server.auth.client_address import trusted_proxies
from server.auth.failed_tokens import LIMIT
from server.dashboard import built
from server.settings import Settings
from tests.application import Build
from tests.server.auth.tokens import bearer
from tests.server.client import Client
from tests.server.questions import asks

OPERATOR, DESK = "an-operators-long-token", "a-desks-long-token"
SWITCH, PREDICT = "/reversal/models/v2/switch", "/reversal/predict"
Start = Callable[[Settings], Awaitable[Client]]


@pytest.fixture
def start(build: Build, monkeypatch: pytest.MonkeyPatch, aiohttp_client: Callable[..., Awaitable[Client]]) -> Start:
    monkeypatch.setattr(access, "WAIT_SECONDS", 0.0)

    async def started(settings: Settings) -> Client:
        return await aiohttp_client(await build(settings))

    return started


@pytest.fixture
def guarded(settings: Settings) -> Settings:
    return dataclasses.replace(settings, api_token=f"desk:{DESK}", admin_token=f"ops:{OPERATOR}")


@pytest.fixture
async def browser(start: Start, guarded: Settings) -> Client:
    """A client that keeps cookies, as a browser does."""
    return await start(guarded)


async def sign_in(client: Client, token: str = OPERATOR, **headers: str) -> tuple[int, dict[str, Any], str]:
    """The status, the data or the whole failure, and the line of the cookie."""
    response = await client.post("/dashboard/session", json={"token": token}, headers=named(headers))
    answer = await response.json()
    return response.status, answer["data"] or answer, response.headers.get("Set-Cookie", "")


def named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


async def signed(client: Client, token: str = OPERATOR) -> dict[str, str]:
    """Sign in; returns the header that the page then sends."""
    status, data, _ = await sign_in(client, token)
    assert status == 200
    return {sessions.CSRF_HEADER: data["csrf"]}


def port_of(client: Client) -> int:
    assert client.port is not None
    return client.port


async def session(client: Client, **headers: str) -> dict[str, Any]:
    response = await client.get("/dashboard/session", headers=named(headers))
    assert response.status == 200
    data: dict[str, Any] = (await response.json())["data"]
    return data


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built page of the test's own."""
    folder = tmp_path / "built"
    folder.mkdir()
    for name in ("index.html", "main.js", "style.css", "licenses.txt", "main.js.map"):
        (folder / name).write_text(f"{name} " * 100)
    monkeypatch.setattr(built, "FOLDER", folder)
    return folder


@pytest.mark.usefixtures("page")
async def test_page_and_files_need_no_token_and_load_nothing_from_elsewhere(browser: Client) -> None:
    answer = await browser.get("/dashboard")
    assert (answer.status, answer.content_type) == (200, "text/html")
    policy = dict(each.split(" ", 1) for each in answer.headers["Content-Security-Policy"].split("; "))
    nothing = ("default-src", "base-uri", "form-action", "frame-ancestors")
    assert {policy.pop(name) for name in nothing} == {"'none'"}
    assert policy == {
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
    }
    house = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"}
    own = {"Referrer-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"}
    assert {name: answer.headers[name] for name in house | own} == house | own
    for name, media in (("main.js", "text/javascript"), ("style.css", "text/css"), ("licenses.txt", "text/plain")):
        file = await browser.get(f"/dashboard/{name}")
        assert (file.status, file.content_type, file.charset) == (200, media, "utf-8")
        assert (file.headers["Content-Encoding"], file.headers["Cache-Control"]) == ("gzip", "no-cache")
        again = await browser.get(f"/dashboard/{name}", headers={"If-None-Match": file.headers["ETag"]})
        assert (again.status, await again.read()) == (304, b"")


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize("name", ["index.html", "main.js.map", "nothing.js", "..%2ffiles.py", "%2fetc%2fpasswd"])
async def test_other_files_are_not_found(browser: Client, name: str) -> None:
    answer = await browser.get(f"/dashboard/{name}")
    assert (answer.status, (await answer.json())["code"]) == (404, "NOT_FOUND")


async def test_a_page_that_is_built_again_is_read_again(browser: Client, page: Path) -> None:
    first = await browser.get("/dashboard")
    (page / "index.html").write_text("another")
    second = await browser.get("/dashboard", headers={"If-None-Match": first.headers["ETag"]})
    assert (second.status, await second.text()) == (200, "another")


async def test_without_a_built_page_the_answer_names_the_command(browser: Client, page: Path) -> None:
    (page / "index.html").unlink()
    for path in ("/dashboard", "/dashboard/main.js"):
        answer = await browser.get(path)
        told = await answer.json()
        assert (answer.status, told["code"]) == (404, "NOT_FOUND")
        assert "`make dashboard`" in told["error"]
    assert (await session(browser))["signed_in"] is False  # the rest of the server is as always


async def test_a_session_begins_with_a_token_and_ends(browser: Client, caplog: pytest.LogCaptureFixture) -> None:
    out = {"guarded": True, "signed_in": False, "name": None, "level": None, "csrf": None, "windows_kept": False}
    assert await session(browser) == out
    with caplog.at_level(logging.INFO):
        status, data, cookie = await sign_in(browser, f" {OPERATOR}\n")
        assert (status, data["signed_in"], data["name"], data["level"]) == (200, True, "ops", "admin")
        assert cookie.startswith(f"reversal_session_{browser.port}=")
        assert set(cookie.split("; ")[1:]) == {"HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Strict"}
        assert await session(browser) == data
        ended = await browser.post("/dashboard/session/end", json={}, headers={sessions.CSRF_HEADER: data["csrf"]})
        assert (ended.status, (await ended.json())["data"]) == (200, out)
    assert await session(browser) == out
    lines = [line for line in caplog.messages if line.startswith("session_")]
    assert lines == [
        "session_begun name=ops level=admin address=127.0.0.1",
        "session_ended name=ops address=127.0.0.1",
    ]
    assert OPERATOR not in caplog.text


async def test_a_session_has_the_rights_of_its_token(browser: Client) -> None:
    csrf = await signed(browser, DESK)
    assert (await session(browser))["level"] == "api"
    assert (await browser.get("/reversal/models")).status == 200
    assert (await browser.get("/metrics")).status == 200
    assert (await browser.get("/v2")).status == 200
    assert (await browser.post(PREDICT, json=asks(0.9), headers=csrf)).status == 200
    assert (await browser.post(SWITCH, headers=csrf)).status == 403
    csrf = await signed(browser)
    assert (await browser.post(SWITCH, headers=csrf)).status == 200


async def test_the_audit_log_names_the_token(browser: Client, guarded: Settings) -> None:
    csrf = await signed(browser)
    assert (await browser.post(SWITCH, headers=csrf)).status == 200
    (line,) = [json.loads(each) for each in guarded.audit.read_text().splitlines()]
    assert (line["call"], line["who"]) == (f"POST {SWITCH}", "ops")  # plain-english: a field of the audit log


@pytest.mark.parametrize("path", [SWITCH, PREDICT, "/dashboard/session/end", "/reversal/experiments/plan"])
async def test_what_can_change_something_needs_the_csrf_token(browser: Client, path: str) -> None:
    csrf = await signed(browser)
    other = (await sign_in(browser))[1]["csrf"]  # of the next cookie
    for wrong in ({}, csrf, {sessions.CSRF_HEADER: "x"}):
        answer = await browser.post(path, json=asks(0.9), headers=wrong)
        assert (answer.status, (await answer.json())["code"]) == (403, "FORBIDDEN")
    right = {sessions.CSRF_HEADER: other}
    for elsewhere in ({"Origin": f"http://127.0.0.1:{port_of(browser) + 1}"}, {"Sec-Fetch-Site": "same-site"}):
        answer = await browser.post(path, json=asks(0.9), headers=right | elsewhere)
        assert (answer.status, (await answer.json())["code"]) == (403, "FORBIDDEN")
    ours = {"Origin": f"http://127.0.0.1:{browser.port}", "Sec-Fetch-Site": "same-origin"}
    assert (await browser.post(path, json=asks(0.9), headers=right | ours)).status not in {401, 403}


async def test_a_page_of_another_port_cannot_sign_a_browser_in(browser: Client) -> None:
    status, answer, cookie = await sign_in(browser, Origin=f"http://127.0.0.1:{port_of(browser) + 1}")
    assert (status, answer["code"], cookie) == (403, "FORBIDDEN", "")
    assert (await sign_in(browser, Origin=f"http://127.0.0.1:{browser.port}"))[0] == 200


async def test_a_bearer_token_wins_over_the_cookie(browser: Client) -> None:
    await signed(browser)
    assert (await browser.post(PREDICT, json=asks(0.9), headers=bearer(DESK))).status == 200  # without csrf
    assert (await browser.post(SWITCH, headers=bearer(DESK))).status == 403
    for method, path in (("GET", "/reversal/models"), ("POST", PREDICT)):
        answer = await browser.request(method, path, json=asks(0.9), headers=bearer("wrong"))
        assert (answer.status, (await answer.json())["code"]) == (401, "UNAUTHORIZED")
    # A proxy may ask for a password of its own, and pass it on.
    assert (await browser.get("/reversal/models", headers={"Authorization": "Basic b25lOg=="})).status == 200


async def test_wrong_tokens_are_counted_as_everywhere(browser: Client) -> None:
    for _ in range(LIMIT - 1):
        status, answer, cookie = await sign_in(browser, "a-guess")
        assert (status, answer["code"], cookie) == (401, "UNAUTHORIZED", "")
    assert (await browser.get("/reversal/models", headers=bearer("a-guess"))).status == 401
    status, answer, _ = await sign_in(browser, "a-guess")
    assert (status, answer["code"]) == (429, "RATE_LIMITED")
    assert (await sign_in(browser))[0] == 200  # the right one passes at any time


def cookie_by(client: Client, token: str, now: float) -> dict[str, str]:
    digest = hashlib.sha256(token.encode()).digest()
    return {"Cookie": f"reversal_session_{client.port}={sessions.issue(digest, now)}"}


@pytest.mark.parametrize("ago", [sessions.SECONDS + 1, None])
async def test_an_ended_or_malformed_cookie_is_none(browser: Client, ago: int | None) -> None:
    headers = {"Cookie": f"reversal_session_{browser.port}=x.1.y.z"}
    if ago is not None:
        headers = cookie_by(browser, OPERATOR, time.time() - ago)
    for _ in range(LIMIT + 1):
        answer = await browser.get("/reversal/models", headers=headers)
        assert (answer.status, (await answer.json())["code"]) == (401, "UNAUTHORIZED")
    answer = await browser.get("/dashboard/session", headers=headers)
    assert (await answer.json())["data"]["signed_in"] is False
    assert "Max-Age=0" in answer.headers["Set-Cookie"]


async def test_a_cookie_that_no_token_has_signed_counts_as_a_wrong_token(browser: Client) -> None:
    """Otherwise tokens could be guessed without a limit, by cookies that are signed with guesses."""
    assert (await browser.get("/reversal/models", headers=cookie_by(browser, OPERATOR, time.time()))).status == 200
    forged = cookie_by(browser, "a-guess", time.time())
    paths = ["/reversal/models", "/dashboard/session"] * (LIMIT // 2)
    answers = [await browser.get(path, headers=forged) for path in paths]
    assert [each.status for each in answers] == [401, 200] * (LIMIT // 2)
    assert (await answers[1].json())["data"]["signed_in"] is False
    assert "Max-Age=0" in answers[1].headers["Set-Cookie"]
    answer = await browser.get("/reversal/models", headers=forged)
    assert (answer.status, (await answer.json())["code"]) == (429, "RATE_LIMITED")


async def test_a_browser_gets_rid_of_a_removed_tokens_cookie_also_over_the_limit(browser: Client) -> None:
    """Otherwise its page could not even ask for another token."""
    forged = cookie_by(browser, "a-removed-token", time.time())
    for _ in range(LIMIT + 1):
        last = await browser.get("/reversal/models", headers=forged)
    assert last.status == 429
    for method, path in (("GET", "/dashboard/session"), ("POST", "/dashboard/session/end")):
        answer = await browser.request(method, path, headers=forged, json=None if method == "GET" else {})
        assert (answer.status, (await answer.json())["data"]["signed_in"]) == (200, False)
        assert "Max-Age=0" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("other", ["x", "ended"])
async def test_a_cookie_of_the_same_name_does_not_hide_a_session(browser: Client, other: str) -> None:
    """A page of another port can set one for the path /dashboard, and browsers send that one first."""
    mine = cookie_by(browser, OPERATOR, time.time())["Cookie"]
    ended = cookie_by(browser, OPERATOR, time.time() - sessions.SECONDS - 1)["Cookie"]
    before = ended if other == "ended" else f"reversal_session_{browser.port}={other}"
    assert (await session(browser, Cookie=f"{before}; {mine}"))["name"] == "ops"
    assert (await browser.get("/reversal/models", headers={"Cookie": f"{before}; {mine}"})).status == 200


async def test_other_workers_accept_a_session_until_its_token_is_removed(
    start: Start, browser: Client, guarded: Settings
) -> None:
    csrf = await signed(browser)
    (cookie,) = (each for each in browser.session.cookie_jar if each.key.startswith("reversal_session"))
    with_more = dataclasses.replace(guarded, admin_token=f"new:another-long-token ops:{OPERATOR}")
    without = dataclasses.replace(guarded, admin_token="new:another-long-token")  # noqa: S106
    for settings, status in ((with_more, 200), (without, 401)):
        folder = guarded.journals.parent / str(status)
        own = dataclasses.replace(settings, state_url=f"sqlite:///{folder}.db", journals=folder)
        other = await start(own)
        headers = {"Cookie": f"reversal_session={cookie.value}", "Host": "desk.example"} | csrf
        assert (await other.get("/reversal/models", headers=headers)).status == status
        assert (await other.post(SWITCH, headers=headers)).status == status


@pytest.mark.parametrize(
    ("proxies", "headers", "secure"),
    [
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}, True),
        ("127.0.0.1", {"X-Forwarded-Proto": "http, HTTPS"}, True),
        ("127.0.0.1", {"X-Forwarded-Proto": "https, http"}, False),
        ("127.0.0.1", {}, False),
        ("10.0.0.1", {"X-Forwarded-Proto": "https"}, False),
        ("", {"X-Forwarded-Proto": "https"}, False),
    ],
)
async def test_over_https_the_cookie_is_sent_over_https_only(
    start: Start, guarded: Settings, proxies: str, headers: dict[str, str], *, secure: bool
) -> None:
    client = await start(dataclasses.replace(guarded, trusted_proxies=trusted_proxies(proxies)))
    response = await client.post("/dashboard/session", json={"token": OPERATOR}, headers=headers)
    assert ("Secure" in response.headers["Set-Cookie"].split("; ")) is secure


async def test_without_tokens_the_page_is_signed_in_and_manages_on_this_machine(
    start: Start, settings: Settings
) -> None:
    client = await start(dataclasses.replace(settings, keep_windows=True, allowed_hosts=("desk.example",)))
    data = await session(client)
    assert data == {
        "guarded": False, "signed_in": True, "name": None, "level": "admin", "csrf": None, "windows_kept": True,
    }  # fmt: skip
    assert (await session(client, Host="10.0.0.5:8000"))["level"] == "api"
    assert (await session(client, Origin="https://desk.example"))["level"] == "api"
    assert (await session(client, Host="[::1]:8000"))["level"] == "admin"
    for path, body in (("/dashboard/session", {"token": "any"}), ("/dashboard/session/end", {})):
        response = await client.post(path, json=body)
        assert (response.status, "Set-Cookie" in response.headers) == (200, False)
        assert (await response.json())["data"] == data


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": 1}, {"token": None}, {"token": "x" * 8_001}])
async def test_a_sign_in_without_a_token_is_refused(browser: Client, body: dict[str, Any]) -> None:
    answer = await browser.post("/dashboard/session", json=body)
    told = await answer.json()
    assert (answer.status, told["code"], told["details"][0]["path"]) == (422, "VALIDATION_ERROR", "token")
