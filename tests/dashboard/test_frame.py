"""The page's frame in a real browser: sign-in, tabs, keyboard, narrow screens and themes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.dashboard.traffic import flowing
from tests.dashboard.visit import TABS, Visiting
from tests.market import ONNX
from tests.processes import Server, serving

LOOK, ACT = "look-token-of-the-tests", "act-token-of-the-tests"
SIGNED = {"Authorization": f"Bearer {LOOK}"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Two workers with the committed versions, tokens, and predictions that flow."""
    with (
        serving(
            *("--models", str(ONNX)),
            REVERSAL_WORKERS="2",
            REVERSAL_KEEP_WINDOWS="1",
            REVERSAL_API_TOKEN=f"desk:{LOOK}",
            REVERSAL_ADMIN_TOKEN=f"alice:{ACT}",
        ) as server,
        flowing(server.url, SIGNED),
    ):
        yield server


def test_a_wrong_token_is_refused_and_a_right_one_shows_the_page(server: Server, visit: Visiting) -> None:
    on = visit(server.url).open()
    form = on.page.get_by_role("form", name="Sign in")
    form.get_by_label("Token").fill("wrong")
    form.get_by_role("button", name="Sign in").click()
    expect(form.get_by_role("alert")).to_contain_text("the token is wrong")
    assert on.violations() == []
    on.sign_in(LOOK)
    expect(on.page.get_by_text("desk (may look)")).to_be_visible()
    (cookie,) = on.page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert LOOK not in cookie["value"]
    assert on.page.evaluate("() => document.cookie") == ""
    on.page.reload()
    on.live()
    on.page.get_by_role("button", name="Sign out").click()
    expect(form).to_be_visible()
    on.page.reload()
    expect(form).to_be_visible()
    on.check(broken=True)  # the wrong token


def test_an_api_token_looks_and_cannot_act(server: Server, visit: Visiting) -> None:
    on = visit(server.url).open().sign_in(LOOK)
    panel = on.tab("Models")
    expect(panel.get_by_text("v3.2").first).to_be_visible()
    for button in panel.get_by_role("button", name=re.compile("^(Load|Switch|Unload)")).all():
        expect(button).to_be_disabled()
    on.check()


def test_every_tab_is_reached_by_the_keyboard_and_axe_finds_nothing(server: Server, visit: Visiting) -> None:
    on = visit(server.url).open().sign_in(ACT)
    on.page.get_by_role("tab", name=TABS[0]).focus()
    for name in TABS:
        expect(on.page.get_by_role("tab", name=name, exact=True)).to_be_focused()
        expect(on.page.get_by_role("tabpanel", name=name, exact=True)).to_be_visible()
        assert on.page.url.endswith(f"#{name.lower()}")
        expect(on.page.get_by_role("tabpanel", name=name, exact=True).get_by_text("Loading")).to_have_count(0)
        assert on.violations() == [], name
        on.page.keyboard.press("ArrowRight")
    expect(on.page.get_by_role("tab", name=TABS[0])).to_be_focused()
    on.page.keyboard.press("End")
    expect(on.page.get_by_role("tab", name=TABS[-1])).to_be_focused()
    on.check()


def test_a_narrow_screen_shows_every_tab_without_moving_sideways(server: Server, visit: Visiting) -> None:
    on = visit(server.url, viewport={"width": 360, "height": 740}, color_scheme="dark").open().sign_in(ACT)
    for name in TABS:
        on.tab(name)
        assert on.overflow() <= 0, name
        assert on.violations() == [], name
    on.check()


def test_the_theme_is_kept_and_both_have_enough_contrast(server: Server, visit: Visiting) -> None:
    on = visit(server.url, color_scheme="light").open().sign_in(LOOK)
    background = "() => getComputedStyle(document.body.parentElement).backgroundColor"
    light = on.page.evaluate(background)
    for _ in range(2):  # from the system's theme to light, and to dark
        on.page.get_by_role("button", name="Theme").click()
    assert on.page.evaluate(background) != light
    on.page.reload()
    on.live()
    expect(on.page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert on.page.evaluate(background) != light
    on.check()
