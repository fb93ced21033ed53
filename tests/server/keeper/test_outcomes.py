from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pytest

from core.store.interface import Outcome, OutcomeAnswer
from server.api.endpoints import largest_bodies
from server.api.schemas.experiments import MAX_OUTCOMES
from server.http.bodies import json_items, sizes
from server.http.fairness import let_others_run
from server.keeper.handlers import outcomes
from server.keeper.store_access import StoreAccess
from tests.server.client import Client
from tests.server.keeper.calls import Call, Write
from tests.server.keeper.records import AT, exposure

pytestmark = pytest.mark.usefixtures("running")

URL = "/reversal/outcomes"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "DRAINED_ELSEWHERE_SECONDS", 0.0)


async def report(call: Call, *items: object) -> dict[str, Any]:
    answer = await call("POST", URL, {"outcomes": items})
    assert answer.status == 200
    data: dict[str, Any] = answer.data
    return data


def win(prediction_id: str, **more: object) -> dict[str, object]:
    return {"prediction_id": prediction_id, "outcome": "win", **more}


async def test_each_item_has_its_own_status(call: Call, write: Write, running: str) -> None:
    await write(exposure("p1"), exposure("p2"), exposure("p3", signal="hold"))
    data = await report(
        call,
        win("p1"),
        win("p1", pnl_pips=12.5),
        win("p1", pnl_pips=12.5),
        win("p1", pnl_pips=1),
        win("p9"),
        win("p3"),
        {"outcome": "win"},
    )
    assert data == {
        "recorded": 1,
        "results": [
            {"prediction_id": "p1", "status": "recorded"},
            {"prediction_id": "p1", "status": "completed"},
            {"prediction_id": "p1", "status": "duplicate"},
            {"prediction_id": "p1", "status": "contradicts"},
            {"prediction_id": "p9", "status": "unknown"},
            {"prediction_id": "p3", "status": "not_a_trade"},
            {
                "prediction_id": None,
                "status": "invalid",
                "error": "prediction_id: missing; found outcome, expected prediction_id",
                "details": [{"path": "prediction_id", "message": "missing; found outcome, expected prediction_id"}],
            },
        ],
    }
    assert (await report(call, win("p1", pnl_pips=12.5)))["results"][0]["status"] == "duplicate"
    await call("POST", f"/reversal/experiments/{running}/stop")
    late = await report(call, {"prediction_id": "p2", "outcome": "neutral"})
    assert (late["recorded"], late["results"][0]["status"]) == (1, "late")
    for page in ("metrics", "report"):
        variants = (await call("GET", f"/reversal/experiments/{running}/{page}")).data["variants"]
        found = {name: shown.get("metrics", shown)["late"] for name, shown in variants.items()}
        assert found == {"A": 1, "B": 0}


async def test_ids_ignore_case_and_are_returned_as_sent(call: Call, write: Write) -> None:
    await write(exposure("0199ec3c-00ab"))
    shown = (await report(call, win("0199EC3C-00AB"), win("0199ec3c-00ab")))["results"]
    assert shown == [
        {"prediction_id": "0199EC3C-00AB", "status": "recorded"},
        {"prediction_id": "0199ec3c-00ab", "status": "duplicate"},
    ]


async def test_a_bad_outcome_is_refused_with_the_allowed_ones(call: Call) -> None:
    (shown,) = (await report(call, win("p1", outcome="draw")))["results"]
    assert [detail["path"] for detail in shown["details"]] == ["outcome"]
    assert all(word in shown["error"] for word in ("win, loss, neutral", '"draw"'))


async def test_an_answered_prediction_is_known_immediately(call: Call, write: Write) -> None:
    for n in range(20):
        await write(exposure(f"p{n}"))
        assert (await report(call, win(f"p{n}")))["recorded"] == 1


async def test_a_prediction_that_another_machine_drains_later_is_found_at_the_second_try(
    call: Call, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = outcomes.record

    async def drained_after_the_first_try(store: StoreAccess, given: Sequence[Outcome]) -> list[OutcomeAnswer]:
        answers = await record(store, given)
        monkeypatch.setattr(outcomes, "record", record)
        await write(exposure("p1"), exposure("p2"))
        return answers

    monkeypatch.setattr(outcomes, "record", drained_after_the_first_try)
    data = await report(call, win("p1"), win("p3"), win("p1"))
    assert [result["status"] for result in data["results"]] == ["recorded", "unknown", "duplicate"]
    assert data["recorded"] == 1


@pytest.mark.parametrize(
    ("item", "path", "named"),
    [
        (win("p1", outcome="draw"), "outcome", "p1"),
        (win("p1", pnl_pips="3"), "pnl_pips", "p1"),
        (win("p1", pnl_pips=1e7), "pnl_pips", "p1"),
        (win("p1", closed_at="yesterday"), "closed_at", "p1"),
        (win("p1", closed_at="1969-12-31T23:58:59Z"), "closed_at", "p1"),
        (win("p1", pnl_pips=-0.1), "pnl_pips", "p1"),
        (win("p1", outcome="loss", pnl_pips=0.1), "pnl_pips", "p1"),
        (win("p1", closed_at=1e300), "closed_at", "p1"),
        (win(""), "prediction_id", ""),
        (win("a b"), "prediction_id", "a b"),
        ({"prediction_id": 7, "outcome": "win"}, "prediction_id", None),
        ("p1", "", None),
        (None, "", None),
    ],
)
async def test_a_bad_item_is_named_and_the_others_are_recorded(
    call: Call,
    write: Write,
    item: object,
    path: str,
    named: str | None,
) -> None:
    await write(exposure("p1"), exposure("p2"))
    bad, good = (await report(call, item, win("p2", closed_at="2025-10-16T09:00:00Z")))["results"]
    assert (bad["status"], bad["prediction_id"], bad["details"][0]["path"]) == ("invalid", named, path)
    assert good["status"] == "recorded"


@pytest.mark.parametrize(("outcome", "pnl"), [("win", 0), ("loss", 0), ("neutral", -1.5), ("neutral", 1.5)])
async def test_a_pnl_of_zero_fits_every_outcome_and_a_neutral_has_any(
    call: Call, write: Write, outcome: str, pnl: float
) -> None:
    await write(exposure("p1"))
    (shown,) = (await report(call, win("p1", outcome=outcome, pnl_pips=pnl)))["results"]
    assert shown["status"] == "recorded"


async def test_a_trade_that_was_closed_too_early_is_refused_with_both_instants(call: Call, write: Write) -> None:
    opened, answered = "2025-10-16T08:00:00Z", "2025-10-16T09:00:00Z"
    await write(exposure("p1", hour=AT // 3_600_000_000 - 1), exposure("p2", hour=AT // 3_600_000_000 + 5))
    closed = "2025-10-16T07:58:59.500000Z"
    data = await report(call, win("p1", closed_at=closed), win("p2", closed_at=closed), win("p1", closed_at=opened))
    assert [each["status"] for each in data["results"]] == ["invalid", "invalid", "recorded"]
    for shown, earliest in zip(data["results"], (opened, answered), strict=False):
        (detail,) = shown["details"]
        assert detail["path"] == "closed_at"
        assert all(instant in detail["message"] for instant in (earliest, closed))
    assert data["recorded"] == 1


async def test_an_empty_list_is_accepted(call: Call) -> None:
    assert await report(call) == {"results": [], "recorded": 0}


@pytest.mark.parametrize("body", [{}, {"outcomes": {}}, {"outcomes": [0] * (MAX_OUTCOMES + 1)}, []])
async def test_a_missing_or_too_long_list_is_a_422(call: Call, body: object) -> None:
    assert (await call("POST", URL, body)).status == 422


async def test_the_longest_list_is_recorded(call: Call, write: Write) -> None:
    ids = [f"p{n}" for n in range(MAX_OUTCOMES)]
    await write(*(exposure(each, hour=n % 50) for n, each in enumerate(ids)))
    assert (await report(call, *(win(each, pnl_pips=1) for each in ids)))["recorded"] == MAX_OUTCOMES


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"outcomes":[' + b"1," * MAX_OUTCOMES + b"the rest is not parsed", "outcomes"),
        (b'{"outcomes":[1,"' + b"a" * sizes.OUTCOME + b'"],"x":"' + b"a" * json_items.PLAIN + b'"}', "outcomes[1]"),
        (b'{"x":"' + b"a" * json_items.PLAIN + b'"}', "x"),
        (b'{"outcomes":1,"x":' + b" " * json_items.PLAIN + b"1}", "outcomes"),
    ],
)
async def test_a_too_long_list_and_a_too_large_value_are_refused_with_their_paths(
    call: Call, body: bytes, path: str
) -> None:
    answer = await call("POST", URL, body.ljust(json_items.PLAIN + 1))
    assert (answer.status, answer.code) == (422, "VALIDATION_ERROR")
    assert [detail["path"] for detail in answer.details] == [path]


@pytest.mark.parametrize("path", [URL, "/reversal/experiments", "/reversal/experiments/exp/evaluate"])
async def test_the_keeper_has_the_same_limits_as_the_workers(client: Client, path: str) -> None:
    most = largest_bodies()[path.replace("/exp/", "/{id}/")]
    for size, expected in ((most, {400, 422}), (most + 1, {413})):
        response = await client.post(path, data=io.BytesIO(b" " * size), headers={"Content-Type": "application/json"})
        assert response.status in expected


async def test_the_event_loop_runs_while_outcomes_are_decoded(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = []

    async def counted() -> None:
        pauses.append(1)
        await let_others_run()

    monkeypatch.setattr(outcomes, "let_others_run", counted)
    await report(call, *[win("p", outcome="draw")] * MAX_OUTCOMES)
    assert len(pauses) == MAX_OUTCOMES // 500
