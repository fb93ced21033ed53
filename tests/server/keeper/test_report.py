from __future__ import annotations

import pytest

from core.experiments.records import Beside, Refusal, ShadowScore
from core.features.candle_keys import candle_key_of_time, candle_key_of_window
from core.inference.decision import Signal
from tests.server.client import Client
from tests.server.keeper.calls import EXPERIMENT, Call, Write
from tests.server.keeper.records import AT, HOUR_MS, exposure

SECTIONS = {"verdict", "differences", "variants", "breakdown", "history", "beside", "sample_ratio", "pairs"}
REPORT = "/reversal/experiments/exp/report"
SHADOW = {**EXPERIMENT, "mode": "shadow", "traffic_split": None}


async def test_the_report_of_a_draft_has_the_verdict_not_yet(call: Call) -> None:
    await call("POST", "/reversal/experiments", EXPERIMENT)
    answer = await call("GET", "/reversal/experiments/exp/report")
    assert answer.status == 200
    assert answer.data.items() >= {**EXPERIMENT, "status": "draft"}.items()
    assert set(answer.data) > SECTIONS
    assert list(answer.data)[:5] == ["experiment_id", "name", "verdict", "differences", "variants"]
    assert (answer.data["history"], answer.data["verdict"]["days_left"]) == ([], None)
    assert answer.data["verdict"]["word"] == "not yet"


async def test_the_report_counts_recorded_predictions(call: Call, write: Write, running: str) -> None:
    for n in range(30):
        variant = "AB"[n % 2]
        await write(exposure(f"p{n}", n // 2, variant=variant, version=f"v{n % 2 + 1}", user=f"u{n}"))
    outcomes = [{"prediction_id": f"p{n}", "outcome": "win" if n % 2 else "loss", "pnl_pips": 3} for n in range(30)]
    await call("POST", "/reversal/outcomes", {"outcomes": outcomes})
    data = (await call("GET", f"/reversal/experiments/{running}/report")).data
    assert data["pairs"] is None
    assert [data["variants"][variant]["predictions"] for variant in "AB"] == [15, 15]
    assert data["sample_ratio"]["users"] == {"A": 15, "B": 15}


async def test_the_report_says_why_an_active_experiment_has_no_predictions(
    call: Call, write: Write, running: str
) -> None:
    await write(Beside(AT, running, "without_user", 1_234), Refusal(AT, running, "B"))
    data = (await call("GET", f"/reversal/experiments/{running}/report")).data
    assert data["beside"] == {"without_user": 1_234, "named_version": 0}
    assert [data["variants"][variant]["refused"] for variant in "AB"] == [0, 1]
    assert data["verdict"]["word"] == "not yet"
    assert all(part in data["verdict"]["sentence"] for part in ("1,234", "user_id", "refused"))
    await write(exposure("p1"))
    after = (await call("GET", f"/reversal/experiments/{running}/report")).data
    assert "user_id" not in after["verdict"]["sentence"]


async def test_the_report_has_the_share_of_predictions_with_each_warning(
    call: Call, write: Write, running: str
) -> None:
    for n in range(8):
        warnings = ("SPACING", "OUT_OF_RANGE") if n == 0 else ("SPACING",) if n < 4 else ()
        await write(exposure(f"p{n}", n, warnings=warnings))
    variants = (await call("GET", f"/reversal/experiments/{running}/report")).data["variants"]
    assert variants["A"]["warnings"] == {
        "OUT_OF_RANGE": {"predictions": 1, "share": 0.125},
        "SPACING": {"predictions": 4, "share": 0.5},
    }
    assert variants["B"]["warnings"] == {}


async def test_a_shadow_report_has_the_pairs_and_their_disagreements(call: Call, write: Write) -> None:
    await call("POST", "/reversal/experiments", SHADOW)
    await call("POST", "/reversal/experiments/exp/activate")
    for n in range(4):
        key = candle_key_of_time(n * HOUR_MS)
        b_signal: Signal = "hold" if n == 3 else "long"
        await write(exposure(f"p{n}", n), ShadowScore(AT + n, "exp", "EUR/USD", "1h", key, "long", 0.75, b_signal, 0.6))
    pairs = (await call("GET", f"{REPORT}?include=disagreements")).data["pairs"]
    (shown,) = pairs["disagreements"]
    assert (shown["candle"], shown["a_signal"], shown["b_signal"]) == (candle_key_of_time(3 * HOUR_MS), "long", "hold")
    assert shown["candle_time"] == "1970-01-01T03:00:00Z"
    assert pairs == (await call("GET", REPORT)).data["pairs"] | {"disagreements": [shown]}


@pytest.mark.parametrize("candle", [candle_key_of_window(b""), candle_key_of_time(-1e14)])
async def test_a_disagreement_without_a_valid_time_has_candle_time_null(call: Call, write: Write, candle: str) -> None:
    await call("POST", "/reversal/experiments", SHADOW)
    await call("POST", "/reversal/experiments/exp/activate")
    await write(ShadowScore(AT, "exp", "EUR/USD", "1h", candle, "long", 0.75, "hold", 0.6))
    (shown,) = (await call("GET", f"{REPORT}?include=disagreements")).data["pairs"]["disagreements"]
    assert shown["candle_time"] is None


@pytest.mark.parametrize(
    ("form", "content_type"),
    [("html", "text/html; charset=utf-8"), ("md", "text/markdown; charset=utf-8")],
)
async def test_a_page_shows_the_experiment_and_its_verdict(
    client: Client, call: Call, form: str, content_type: str
) -> None:
    await call("POST", "/reversal/experiments", EXPERIMENT | {"name": "<script>x</script>"})
    response = await client.get(f"{REPORT}?format={form}")
    text = await response.text()
    assert (response.status, response.headers["Content-Type"]) == (200, content_type)
    assert "Is v2 better than v1?" in text
    assert "Not yet" in text
    assert "<script" not in text


async def test_a_page_in_html_may_load_nothing(client: Client, running: str) -> None:
    pages = {
        form: await client.get(f"/reversal/experiments/{running}/report?format={form}") for form in ("html", "json")
    }
    policy = pages["html"].headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "style-src 'unsafe-inline'"} <= set(policy)
    assert "Content-Security-Policy" not in pages["json"].headers


@pytest.mark.parametrize("name", ["exp", "other"])
@pytest.mark.parametrize(
    ("parameter", "value", "named"),
    [
        ("format", "pdf", "json, md, html"),
        ("format", "", "json, md, html"),
        ("include", "users", "disagreements"),
    ],
)
@pytest.mark.usefixtures("running")
async def test_a_wrong_parameter_is_a_422_before_the_experiment_is_looked_up(
    call: Call, name: str, parameter: str, value: str, named: str
) -> None:
    answer = await call("GET", f"/reversal/experiments/{name}/report?{parameter}={value}")
    assert (answer.status, answer.code, answer.details[0]["path"]) == (422, "VALIDATION_ERROR", parameter)
    assert named in answer.details[0]["message"]


async def test_a_page_of_an_unknown_experiment_is_the_usual_error(call: Call) -> None:
    assert (await call("GET", f"{REPORT}?format=html")).code == "UNKNOWN_EXPERIMENT"
