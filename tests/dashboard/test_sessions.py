"""Sessions of the page in a real browser: other tabs, removed tokens, proxies, and releases that change under it."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.dashboard.traffic import hello
from tests.dashboard.visit import Visit, Visiting
from tests.market import ONNX
from tests.processes import Server, get, serving

pytestmark = pytest.mark.long

LOOK, ACT = "look-token-of-the-tests", "act-token-of-the-tests"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tokens") / "admin"
    file.write_text(f"alice:{ACT}\n")
    return file


@pytest.fixture(scope="module")
def server(tokens: Path) -> Iterator[Server]:
    with serving(
        "--models", str(ONNX), REVERSAL_API_TOKEN=f"desk:{LOOK}", REVERSAL_ADMIN_TOKEN_FILE=str(tokens)
    ) as server:
        yield server


def second(on: Visit) -> Visit:
    """Another tab of the same browser."""
    return Visit(on.page.context.new_page(), on.url)


def load(on: Visit) -> None:
    """Ask for a version to be loaded again, and confirm it."""
    on.tab("Models").get_by_role("button", name="Load again: v3.1").click()
    on.page.get_by_role("dialog").get_by_role("button", name="Load v3.1").click()


def test_a_tab_goes_on_after_another_one_has_signed_in_with_the_same_token(server: Server, visit: Visiting) -> None:
    first = visit(server.url).open()
    other = second(first).open()  # it asks for a token as well
    first.sign_in(ACT)
    other.sign_in(ACT)
    load(first)
    first.says("v3.1 is loaded")
    first.check(broken=True)  # the call with the CSRF token of the first cookie


def test_a_tab_does_nothing_with_the_token_of_another_person(server: Server, visit: Visiting) -> None:
    on = visit(server.url).open().sign_in(LOOK)
    other = second(on).open().live()
    on.page.context.clear_cookies()
    other.page.evaluate(
        "async (token) => (await fetch('dashboard/session', {method: 'POST', body: JSON.stringify({token}),"
        " headers: {'Content-Type': 'application/json'}})).status",
        ACT,
    )
    on.tab("Experiments").get_by_role("button", name="How long?").click()
    expect(on.page.get_by_text("alice (may manage)")).to_be_visible(timeout=15_000)  # it is loaded again, and says so
    on.check(broken=True)


def test_a_proxy_that_sends_a_token_of_its_own_is_named_and_the_page_is_not_loaded_without_end(
    server: Server, visit: Visiting
) -> None:
    on = visit(server.url).open().sign_in(LOOK)

    def adding(route: Route) -> None:
        route.continue_(headers=route.request.headers | {"Authorization": "Bearer of-the-proxy"})

    on.page.route(re.compile("/reversal/"), adding)
    pages = [each for each in on.requests if each.url.endswith("/dashboard")]
    on.tab("Models")
    on.says("Does a proxy add an Authorization header?")
    assert [each for each in on.requests if each.url.endswith("/dashboard")] == pages
    on.check(broken=True)


def test_a_page_of_another_release_says_so(server: Server, visit: Visiting) -> None:
    on = visit(server.url).open().sign_in(LOOK)
    release = on.tab("Now").get_by_text("Release").locator("+ dd").text_content() or ""
    data = hello(server.url, {"Authorization": f"Bearer {LOOK}"})
    data["now"]["release"] = "99.0"
    newer = "event: unknown\ndata: x\n\nevent: hello\ndata: " + json.dumps(data | {"more": 1}) + "\n\n"
    answer = {"Content-Type": "text/event-stream"}
    on.page.route("**/dashboard/stream", lambda route: route.fulfill(body=newer, headers=answer))
    os.kill(server.workers[0], signal.SIGKILL)  # it holds the stream
    expect(on.page.get_by_text(f"The server is now of release 99.0, this page of {release}.")).to_be_visible(
        timeout=15_000
    )
    assert on.violations() == []
    on.page.get_by_role("button", name="Load it again").click()
    expect(on.page.get_by_role("button", name="Load it again")).to_be_hidden()
    on.page.unroute("**/dashboard/stream")
    on.live()
    on.check(broken=True)


def test_a_page_whose_token_is_removed_asks_for_another_one_and_says_why(
    server: Server, tokens: Path, visit: Visiting
) -> None:
    on = visit(server.url).open().sign_in(ACT)
    on.tab("Models")
    before = len(on.requests)
    tokens.write_text("bob:another-token-of-the-tests\n")
    server.process.send_signal(signal.SIGHUP)
    form = on.page.get_by_role("form", name="Sign in")
    expect(form.get_by_role("alert")).to_have_text("Your session has ended. Sign in again.", timeout=15_000)
    assert on.violations() == []
    # The page, its files and its session, once: it does not load itself without end.
    assert len([each for each in on.requests[before:] if each.url.endswith("/dashboard/session")]) <= 2
    on.sign_in("another-token-of-the-tests")
    expect(on.page.get_by_text("bob (may manage)")).to_be_visible()
    on.page.reload()
    on.live()
    assert get(f"{server.url}/health")[0] == 200
    on.check(broken=True)
