"""Every tab with real versions and a decided experiment. The screenshots of docs/dashboard.md are taken here."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.dashboard.traffic import decided, flowing, looked
from tests.dashboard.visit import TABS, Visiting, shot
from tests.market import ONNX, ROOT
from tests.processes import Server, post, serving
from tests.system.load import start_experiment

# `make screenshots` sets it, and the pictures of the documentation are taken again.
FOLDER = Path(os.environ.get("REVERSAL_SCREENSHOTS") or ROOT / "build" / "screenshots")
PICTURES = ROOT / "docs" / "dashboard"
SIZE = {"width": 1280, "height": 900}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """v3.1 against v3.2 with planted outcomes, looked at as they come, and predictions that flow."""
    state = tmp_path_factory.mktemp("state")
    with serving("--models", str(ONNX), state=state, REVERSAL_WORKERS="2", REVERSAL_KEEP_WINDOWS="1") as server:
        start_experiment(
            server.url, "v31_v32", name="v3.1 or v3.2?", variant_a="v3.1", variant_b="v3.2", traffic_split=0.5
        )
        post(f"{server.url}/reversal/experiments/v31_v32/notes", {"text": "Spread widened after the rate decision."})
        for seed in range(8, 0, -1):
            decided(server.url, (0.4, 0.65), candles=120, seed=seed)
            looked(server.url, state, "v31_v32")
        with flowing(server.url):
            yield server


def test_every_tab_shows_what_the_server_does(server: Server, visit: Visiting) -> None:
    on = visit(server.url, viewport=SIZE).open().live()
    for name in TABS:
        panel = on.tab(name)
        if name == "Now":
            panel.get_by_role("button", name="2 minutes").click()
            p99 = panel.get_by_role("row", name="p99").get_by_role("cell").first
            expect(p99).not_to_have_text("too few", timeout=30_000)  # a hundred answers
        elif name == "Signals":
            panel.get_by_role("button", name=re.compile("^Why")).first.click()
            expect(panel.get_by_text("Stage 1").first).to_be_visible(timeout=15_000)
        elif name == "Experiments":
            panel.get_by_role("link", name="v3.1 or v3.2?").first.click()
            expect(panel).to_contain_text(re.compile("B is v3.2: the win rate of B minus that of A is"), timeout=15_000)
        expect(panel.get_by_text("Loading")).to_have_count(0)
        assert panel.locator(".note.error:not(:empty)").count() == 0
        for scheme in SCHEMES:
            on.page.emulate_media(color_scheme=scheme)
            assert on.violations() == [], (name, scheme)
            shot(on, FOLDER / f"{name.lower()}-{scheme}.png")
    on.check()


def size(file: Path) -> tuple[int, int]:
    """The width and height of a PNG."""
    width, height = struct.unpack(">II", file.read_bytes()[16:24])
    return width, height


def test_the_documentation_shows_a_picture_of_every_tab_in_both_themes() -> None:
    page = (ROOT / "docs" / "dashboard.md").read_text()
    for name in TABS:
        for scheme in SCHEMES:
            file = f"{name.lower()}-{scheme}.png"
            assert f"dashboard/{file}" in page
            assert size(PICTURES / file)[0] == SIZE["width"]
