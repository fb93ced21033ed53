"""A browser's page, and what went wrong on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect

from tests.market import ROOT

DASHBOARD = ROOT / "dashboard"
AXE = DASHBOARD / "node_modules" / "axe-core" / "axe.min.js"
TABS = ("Now", "Signals", "Models", "Experiments", "Performance")
# The viewer's zone differs from UTC and from that of the test's machine.
ZONE = "America/St_Johns"
# Chromium itself writes this to the console when a request fails, which some tests cause.
LOST = re.compile(r"net::ERR_|the server responded with a status of (401|403|409|422|429|503)")


class Visit:
    """One page of a browser at /dashboard."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.errors: list[str] = []  # on the console, or not caught by the page
        self.requests: list[Request] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request))  # noqa: PLW0108 - it needs a function

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def open(self, tab: str = "") -> Visit:
        """Go to the page."""
        self.page.goto(f"{self.url}/dashboard{tab and '#' + tab.lower()}")
        return self

    def sign_in(self, token: str) -> Visit:
        """Fill in the form, and wait for the tabs."""
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        return self.live()

    def live(self) -> Visit:
        """Wait until the stream has said hello."""
        expect(self.page.locator(".connection")).to_have_attribute("data-state", "live", timeout=15_000)
        return self

    def tab(self, name: str) -> Locator:
        """Show a tab. Returns its panel."""
        self.page.get_by_role("tab", name=name, exact=True).click()
        panel = self.page.get_by_role("tabpanel", name=name, exact=True)
        expect(panel).to_be_visible()
        return panel

    def says(self, text: str | re.Pattern[str]) -> None:
        """Wait for a message about something that was done."""
        expect(self.page.locator("#message")).to_contain_text(text, timeout=15_000)

    def violations(self) -> list[str]:
        """What axe finds: rules of accessibility that the page breaks now, each with the elements."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE.read_text())
        found: dict[str, Any] = self.page.evaluate("() => axe.run(document)")
        return [
            f"{rule['id']}: {rule['help']}: {[node['html'][:200] for node in rule['nodes']]}"
            for rule in found["violations"]
        ]

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        width: int = self.page.evaluate(
            "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return width

    def foreign(self) -> list[str]:
        """Requests to another host than the page's."""
        own = urlsplit(self.url).netloc
        return [
            each.url for each in self.requests if not each.url.startswith(("data:", "blob:")) and _host(each.url) != own
        ]

    def check(self, *, broken: bool = False) -> None:
        """Fail if the console has an error, or if anything was asked of another host. `broken`: requests may fail."""
        errors = [each for each in self.errors if not (broken and LOST.search(each))]
        assert not errors
        assert not self.foreign()


Visiting: TypeAlias = Callable[..., Visit]


def _host(url: str) -> str:
    return urlsplit(url).netloc


@contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Iterator[Visit]:  # noqa: ANN401 - of Playwright
    """A page in a context of its own, without cookies."""
    context = browser.new_context(**{"locale": "en-GB", "timezone_id": ZONE} | options)
    try:
        yield Visit(context.new_page(), url)
    finally:
        context.close()


def shot(visit: Visit, file: Path) -> None:
    """Take a screenshot of the whole page. 256 colours are enough for it, and take fewer bytes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    taken = Image.open(BytesIO(visit.page.screenshot(full_page=True, animations="disabled")))
    taken.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
