"""What a person sees while parts of the server fail, in a real browser with real processes."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from playwright.sync_api import expect

from tests.dashboard.traffic import flowing
from tests.dashboard.visit import Visiting
from tests.market import ONNX
from tests.processes import free_port, serving
from tests.waiting import wait_until


def test_a_worker_that_dies_is_said_and_the_page_goes_on(visit: Visiting) -> None:
    with serving("--models", str(ONNX), REVERSAL_WORKERS="2") as server, flowing(server.url):
        on = visit(server.url).open().live()
        panel = on.tab("Now")
        expect(panel).to_contain_text(re.compile(r"2 of 2"))
        before = server.workers
        for killed in before:  # one of them holds the stream
            os.kill(killed, signal.SIGKILL)
        wait_until(lambda: len(set(server.workers) - set(before)) == 2)
        on.live()
        expect(panel).to_contain_text(re.compile(r"2 lost"), timeout=15_000)
        expect(panel).to_contain_text(re.compile(r"2 of 2"), timeout=15_000)
        signals = on.tab("Signals")
        first = signals.locator("tbody tr").first.text_content()
        expect(signals.locator("tbody tr").first).not_to_have_text(first or "", timeout=15_000)  # it goes on
        on.check(broken=True)


def test_a_server_that_restarts_is_said_and_found_again(visit: Visiting, tmp_path: Path) -> None:
    port = free_port()
    options = {"state": tmp_path, "port": port, "REVERSAL_WORKERS": "1"}
    with serving("--models", str(ONNX), **options) as server:  # type: ignore[arg-type] # names of arguments
        on = visit(server.url).open().live()
        server.stop()
    expect(on.page.locator(".connection")).to_have_attribute("data-state", "broken")
    expect(on.page.locator(".connection")).to_contain_text("Trying again")
    with serving("--models", str(ONNX), **options) as server, flowing(server.url):  # type: ignore[arg-type] # as above
        expect(on.page.locator(".connection")).to_have_attribute("data-state", "live", timeout=30_000)
        expect(on.tab("Signals").locator("tbody tr").first).to_contain_text("USD", timeout=15_000)
        on.check(broken=True)


def test_a_server_without_a_model_says_why_and_what_to_do(visit: Visiting, tmp_path: Path) -> None:
    with serving("--models", str(tmp_path)) as server:
        on = visit(server.url).open().live()
        panel = on.tab("Now")
        expect(panel).to_contain_text(re.compile("not ready", re.IGNORECASE))
        expect(panel).to_contain_text(re.compile("no version|no model", re.IGNORECASE))
        assert on.violations() == []
        on.check(broken=True)
