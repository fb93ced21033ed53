"""What a person changes on the page, in a real browser: versions, and an experiment from its plan to its verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.dashboard.traffic import decided, recent, window
from tests.dashboard.visit import Visiting
from tests.market import ONNX
from tests.processes import Server, get, serving

ACT = "act-token-of-the-tests"
SIGNED = {"Authorization": f"Bearer {ACT}"}


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def server(audit: Path) -> Iterator[Server]:
    with serving(
        "--models", str(ONNX), REVERSAL_WORKERS="2", REVERSAL_ADMIN_TOKEN=f"alice:{ACT}", REVERSAL_AUDIT=str(audit)
    ) as server:
        yield server


def test_a_switch_says_first_what_it_does_and_is_in_the_audit_log(server: Server, audit: Path, visit: Visiting) -> None:
    on = visit(server.url).open().sign_in(ACT)
    panel = on.tab("Models")
    other = visit(server.url).open().sign_in(ACT)  # a second person, who sees it without doing anything
    panel.get_by_role("button", name="Switch to it: v3.1").click()
    dialog = on.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Until then v3.2 keeps answering")
    assert on.violations() == []
    on.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert health(server) == "v3.2"
    panel.get_by_role("button", name="Switch to it: v3.1").click()
    dialog.get_by_role("button", name="Switch to v3.1").click()
    on.says("v3.1 is active now")
    assert health(server) == "v3.1"
    expect(other.tab("Now")).to_contain_text("Active version v3.1", timeout=15_000)
    panel.get_by_role("button", name="Unload: v3.0").click()
    dialog.get_by_role("button", name="Unload v3.0").click()
    on.says("v3.0 is unloaded")
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    callers = [line["who"] for line in lines]  # plain-english: a field of the audit log
    assert list(zip(callers, [line["call"] for line in lines], strict=True)) == [
        ("alice", "POST /reversal/models/v3.1/switch"),
        ("alice", "POST /reversal/models/v3.0/unload"),
    ]
    on.check()


def health(server: Server) -> str:
    version: str = get(f"{server.url}/health")[1]["model_version"]
    return version


def test_candles_that_are_pasted_are_compared_and_a_bad_line_is_named(server: Server, visit: Visiting) -> None:
    on = visit(server.url).open().sign_in(ACT)
    panel = on.tab("Models")
    data = window(3, recent(0))["data"]
    head = "timestamp,open,high,low,close,volume"
    lines = [",".join(str(candle[name]) for name in head.split(",")) for candle in data]
    panel.get_by_label("Candles", exact=True).fill("\n".join([head, *lines[:7], "2026-01-01,1.1,x,1,1,1", *lines[7:]]))
    panel.get_by_role("button", name="Compare").click()
    expect(panel.get_by_role("alert").filter(has_text="line 9")).to_contain_text("high")
    panel.get_by_label("Candles", exact=True).fill("\n".join([head, *lines]))
    panel.get_by_role("button", name="Compare").click()
    answers = panel.get_by_role("group", name="Answers of the versions")
    for version in ("v3.0", "v3.1", "v3.2"):
        expect(answers).to_contain_text(version)
    on.check()


def test_an_experiment_from_its_plan_to_its_verdict(server: Server, visit: Visiting) -> None:
    on = visit(server.url).open().sign_in(ACT)
    panel = on.tab("Experiments")
    plan = panel.get_by_role("region", name="How long will it take?")
    plan.get_by_label("Mode").select_option("split")
    plan.get_by_role("button", name="How long?").click()
    plan.get_by_role("button", name="Use this plan").click()
    form = panel.get_by_role("region", name="New experiment")
    expect(form.get_by_label("Mode")).to_have_value("split")
    form.get_by_role("button", name="Create").click()
    expect(form.get_by_label("Id", exact=True)).to_have_attribute("aria-invalid", "true")  # nothing was created
    form.get_by_label("Name").fill("Old or new")
    form.get_by_label("Variant A").select_option("v3.1")
    form.get_by_label("Variant B").select_option("v3.2")
    form.get_by_role("button", name="Create").click()
    panel.get_by_role("button", name="Activate").click()
    dialog = on.page.get_by_role("dialog")
    expect(dialog).to_contain_text("are answered by v3.1 or v3.2, by user")
    dialog.get_by_role("button", name="Activate").click()
    on.says("is active")
    # Two users more are needed than the smallest number, for each variant.
    for seed in range(3):
        decided(server.url, (0.15, 0.9), candles=320, headers=SIGNED, seed=seed)
    expect(panel.get_by_role("region", name="Verdict")).to_contain_text("B is v3.2: the win rate", timeout=30_000)
    assert on.violations() == []
    panel.get_by_label("New note").fill("The verdict is clear.")
    panel.get_by_role("button", name="Add note").click()
    expect(panel.get_by_role("region", name="Notes")).to_contain_text("The verdict is clear.")
    with on.page.expect_download() as download:
        panel.get_by_role("button", name="Report as Markdown").click()
    assert "B is v3.2" in Path(download.value.path()).read_text()
    panel.get_by_role("button", name="Stop").click()
    dialog.get_by_role("button", name="Stop it").click()
    on.says("is stopped")
    on.check(broken=True)  # the 422 of the empty form
