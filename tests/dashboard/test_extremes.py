"""Much, long, strange or nothing, in a real browser: many experiments, texts of clients, answers of a proxy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Dialog, expect

from tests.dashboard.traffic import hello
from tests.dashboard.visit import Visiting
from tests.market import ONNX
from tests.processes import Server, get, post, serving
from tests.system.load import start_experiment

pytestmark = pytest.mark.long

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
ONE_WORD = "N" * 150
MANY = 40


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A running experiment, and many drafts that are newer."""
    with serving("--models", str(ONNX)) as server:
        start_experiment(server.url, "running", variant_a="v3.1", variant_b="v3.2")
        texts = {"name": SCRIPT, "description": SCRIPT, "owner": SCRIPT}
        for number in range(MANY):
            body = {"experiment_id": f"e{number}", "name": f"Draft {number}", "variant_a": "v3.1", "variant_b": "v3.2"}
            own = {0: texts, 1: {"name": ONE_WORD, "owner": ONE_WORD}}.get(number, {})
            assert post(f"{server.url}/reversal/experiments", body | {"traffic_split": 0.5} | own)[0] == 201
        assert post(f"{server.url}/reversal/experiments/e0/notes", {"text": SCRIPT})[0] == 200
        yield server


def test_the_running_experiment_and_the_forms_are_near_among_many_experiments(server: Server, visit: Visiting) -> None:
    on = visit(server.url).open()
    panel = on.tab("Experiments")
    rows = panel.get_by_role("region", name="All experiments").locator("tbody tr")
    expect(rows).to_have_count(MANY + 1)
    expect(rows.first).to_contain_text("active")
    expect(rows.nth(1)).to_contain_text(f"Draft {MANY - 1}")
    box = panel.get_by_role("region", name="New experiment").bounding_box()
    assert box is not None
    assert box["y"] < 900
    assert on.overflow() <= 0
    assert on.violations() == []
    on.check()


def test_a_long_name_does_not_widen_the_page_nor_its_question(server: Server, visit: Visiting) -> None:
    on = visit(server.url, viewport={"width": 360, "height": 740}).open("Experiments/e1".lower())
    on.page.get_by_role("button", name="Activate").click()
    expect(on.page.get_by_role("dialog")).to_contain_text("The running experiment running is stopped")
    assert on.overflow() <= 0
    on.check()


def test_texts_of_clients_are_never_read_as_html(server: Server, visit: Visiting) -> None:
    on = visit(server.url).open("experiments/e0")
    opened: list[str] = []

    def note(dialog: Dialog) -> None:
        opened.append(dialog.message)
        dialog.dismiss()

    on.page.on("dialog", note)
    title = on.page.get_by_role("heading", name=SCRIPT)
    expect(title).to_be_visible()
    expect(on.page.get_by_role("region", name="Notes")).to_contain_text(SCRIPT)
    assert on.page.locator("img, main script").count() == 0
    assert opened == []
    on.check()


def test_back_leads_to_the_tab_before(server: Server, visit: Visiting) -> None:
    on = visit(server.url).open()
    on.tab("Models")
    on.tab("Experiments").get_by_role("link", name="Draft 39").click()
    on.tab("Now")
    for where in ("#experiments/e39", "#experiments", "#models", "#now"):
        on.page.go_back()
        expect(on.page).to_have_url(re.compile(f"{where}$"))
    expect(on.page.get_by_role("tabpanel", name="Now", exact=True)).to_be_visible()
    on.check()


def test_without_tokens_a_page_of_another_machine_says_where_it_may_act(server: Server, visit: Visiting) -> None:
    on = visit(server.url)
    data = get(f"{server.url}/dashboard/session")[1]["data"] | {"level": "api"}  # as under another name or address
    on.page.route("**/dashboard/session", lambda route: route.fulfill(json={"success": True, "data": data}))
    on.open().live()
    expect(on.page.get_by_text("No tokens are set: this page may look")).to_be_visible()
    for name in ("Models", "Experiments"):
        expect(on.tab(name).get_by_text("open this page on the server's machine").first).to_be_visible()
    on.check()


def test_the_first_minute_of_a_server_has_an_axis_of_minutes_with_even_steps(server: Server, visit: Visiting) -> None:
    on = visit(server.url)
    on.page.add_init_script(
        "window.drawn = []; const draw = CanvasRenderingContext2D.prototype.fillText;"
        "CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {"
        " if (/^\\d\\d:\\d\\d$/.test(text)) window.drawn.push(text); return draw.call(this, text, ...rest); };"
    )
    data = hello(server.url)
    none: dict[str, object] = {"answers": {}, "errors": {}, "warnings": {}, "latency": [], "phases": {}}
    data["minutes"] = [
        {"at": "2026-11-30T05:16:00.000Z", "seconds": 60, "runs": 0, "fallbacks": 0, "abandoned": 0} | none
    ]
    body = f"event: hello\ndata: {json.dumps(data)}\n\n"
    on.page.route("**/dashboard/stream", lambda route: route.fulfill(body=body, content_type="text/event-stream"))
    on.open()
    panel = on.page.get_by_role("tabpanel", name="Now", exact=True)
    panel.get_by_role("button", name="2 hours").click()
    on.page.wait_for_function("() => window.drawn.length > 3")
    texts: list[str] = on.page.evaluate("() => [...new Set(window.drawn)]")
    minutes = [60 * int(text[:2]) + int(text[3:]) for text in texts]
    assert len({later - before for before, later in pairwise(minutes)}) == 1, texts
    assert minutes[-1] - minutes[0] <= 20, texts
    on.check(broken=True)


def test_a_page_that_a_proxy_answers_with_is_named(server: Server, visit: Visiting) -> None:
    on = visit(server.url).open().live()
    on.page.route(re.compile("/reversal/"), lambda route: route.fulfill(body="<html>", content_type="text/html"))
    for name in ("Models", "Experiments"):
        expect(on.tab(name).get_by_role("alert").first).to_contain_text("A proxy may have answered")
    on.check()


def test_a_server_that_was_away_leaves_no_mark_at_a_version(server: Server, visit: Visiting) -> None:
    on = visit(server.url).open().live()
    panel = on.tab("Models")
    on.page.route("**/reversal/models/**", lambda route: route.abort())
    panel.get_by_role("button", name="Load again: v3.0").click()
    on.page.get_by_role("dialog").get_by_role("button", name="Load v3.0").click()
    on.says("cannot be reached")
    expect(panel.get_by_role("button", name="Load again: v3.0")).to_be_enabled()
    expect(panel.get_by_role("alert").filter(has_text="reached")).to_have_count(0)
    on.check(broken=True)
