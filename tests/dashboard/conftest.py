from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests import needs
from tests.dashboard.visit import AXE, Visit, Visiting, visiting
from tests.market import ROOT


# Of a module: as long as Playwright runs, no other test can start an event loop. Folders of tests are no packages here,
# so the scope of a package would be that of the session.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    if not AXE.exists():
        needs.missing("axe-core is not installed: run `make test`, or `npm ci` in dashboard/")
    if not (ROOT / "server" / "dashboard" / "built" / "index.html").exists():
        needs.missing("the page is not built: run `make dashboard`")
    program = needs.program("chromium", "chromium")
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not start as root, which the tests often are.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visiting]:
    """Opens pages, and closes them at the end of the test."""
    with ExitStack() as opened:

        def open_page(url: str, **options: Any) -> Visit:  # noqa: ANN401 - of Playwright
            return opened.enter_context(visiting(browser, url, **options))

        yield open_page
