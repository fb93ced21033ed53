from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.errors import StoreUnavailable
from core.experiments.experiment import ImportedCounts
from core.experiments.records import Beside, Failure, Refusal, Unrecorded
from server.keeper.store_access import StoreAccess
from tests.server.keeper.calls import EXPERIMENT, Answer, Call, Write
from tests.server.keeper.records import AT, exposure

URL = "/reversal/experiments"


def of(answer: Answer, *names: str) -> tuple[Any, ...]:
    return tuple(answer.data[name] for name in names)


async def test_a_new_experiment_is_a_draft_and_listed(call: Call) -> None:
    answer = await call("POST", URL, EXPERIMENT)
    assert answer.status == 201
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", answer.data.pop("created_at"))
    assert answer.data == {
        **EXPERIMENT,
        "description": "",
        "owner": "",
        "mode": "split",
        "metric": "win_rate",
        "minimum_effect": 0.02,
        "guardrails": {},
        "stop_at": None,
        "status": "draft",
        "active": False,
        "activated_at": None,
        "stopped_at": None,
        "stop_reason": None,
        "digests": None,
        "label_rule": None,
        "label_rules": [],
    }
    (listed,) = (await call("GET", URL)).data["experiments"]
    assert listed.items() >= answer.data.items()


async def test_every_field_is_kept(call: Call) -> None:
    given = {
        **EXPERIMENT,
        "description": "two\nlines",
        "owner": "Zoë, pricing",
        "mode": "split",
        "metric": "mean_pnl",
        "minimum_effect": 1.5,
        "guardrails": {"max_error_rate": 0.01, "max_p99_ms": 20.0, "min_hold_rate": 0.1, "max_hold_rate": 0.9},
        "stop_at": "2099-10-16T09:00:00Z",
    }
    answer = await call("POST", URL, given)
    assert answer.data.items() >= given.items()
    shown = await call("GET", f"{URL}/exp")
    assert (shown.status, shown.data) == (200, {**answer.data, "notes": []})


async def test_null_means_the_default(call: Call) -> None:
    optional = ("description", "mode", "metric", "minimum_effect", "guardrails", "owner", "stop_at")
    answer = await call("POST", URL, EXPERIMENT | dict.fromkeys(optional))
    assert of(answer, "mode", "metric", "minimum_effect", "guardrails") == ("split", "win_rate", 0.02, {})
    assert of(answer, "owner", "stop_at") == ("", None)


async def test_the_minimum_effect_of_pnl_has_its_own_default(call: Call) -> None:
    assert (await call("POST", URL, {**EXPERIMENT, "metric": "mean_pnl"})).data["minimum_effect"] == 0.5


async def test_in_shadow_mode_variant_a_answers_every_request(call: Call) -> None:
    shadow = {name: value for name, value in EXPERIMENT.items() if name != "traffic_split"} | {"mode": "shadow"}
    assert (await call("POST", URL, shadow)).data["traffic_split"] == 1.0
    for name, split in (("exp2", 1), ("exp3", None)):
        answer = await call("POST", URL, {**shadow, "experiment_id": name, "traffic_split": split})
        assert answer.data["traffic_split"] == 1.0


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"experiment_id": ""}, "experiment_id"),
        ({"experiment_id": ".hidden"}, "experiment_id"),
        ({"experiment_id": "a/b"}, "experiment_id"),
        ({"experiment_id": "a" * 65}, "experiment_id"),
        ({"experiment_id": 7}, "experiment_id"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "n" * 201}, "name"),
        ({"name": None}, "name"),
        ({"description": "\0"}, "description"),
        ({"description": "d" * 2001}, "description"),
        ({"owner": "two\nlines"}, "owner"),
        ({"owner": "o" * 201}, "owner"),
        ({"stop_at": "2020-01-01T00:00:00Z"}, "stop_at"),
        ({"stop_at": 1}, "stop_at"),
        ({"stop_at": "tomorrow"}, "stop_at"),
        ({"stop_at": 4_000_000_000_000_000}, "stop_at"),
        ({"variant_a": "v9"}, "variant_a"),
        ({"variant_b": "../v1"}, "variant_b"),
        ({"variant_b": "v1"}, "variant_b"),
        ({"variant_b": "v" * 65}, "variant_b"),
        ({"traffic_split": -0.1}, "traffic_split"),
        ({"traffic_split": 1.1}, "traffic_split"),
        ({"traffic_split": "0.5"}, "traffic_split"),
        ({"traffic_split": None}, "traffic_split"),
        ({"mode": "mirror"}, "mode"),
        ({"metric": "sharpe"}, "metric"),
        ({"minimum_effect": 0}, "minimum_effect"),
        ({"minimum_effect": 2}, "minimum_effect"),
        ({"guardrails": {"max_error_rate": 2}}, "guardrails.max_error_rate"),
        ({"guardrails": {"max_p99_ms": 0}}, "guardrails.max_p99_ms"),
        ({"guardrails": {"min_hold_rate": 0.8, "max_hold_rate": 0.2}}, "guardrails.min_hold_rate"),
        ({"guardrails": {"max_eror_rate": 0.01}}, "guardrails.max_eror_rate"),
        ({"minimal_effect": 0.01}, "minimal_effect"),
        ({"mode": "shadow"}, "traffic_split"),
        ({"mode": "shadow", "traffic_split": 0}, "traffic_split"),
    ],
)
async def test_a_bad_field_is_a_422_with_its_path(call: Call, changes: dict[str, object], path: str) -> None:
    answer = await call("POST", URL, EXPERIMENT | changes)
    assert answer.status == 422
    assert [detail["path"] for detail in answer.details] == [path]
    assert (await call("GET", URL)).data == {"experiments": []}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("experiment_id", "a/b", ["1 to 64 letters", '"a/b"']),
        ("name", "two\nlines", ["1 to 200 characters", '"two\\nlines"']),
        ("traffic_split", 1.5, ["from 0 to 1", "1.5"]),
        ("traffic_split", "0.5", ["a number", "a string"]),
        ("mode", "mirror", ["split, crossover, shadow", '"mirror"']),
        ("metric", "sharpe", ["win_rate, mean_pnl", '"sharpe"']),
        ("guardrail", {}, ["guardrails"]),
    ],
)
async def test_a_422_says_what_is_allowed(call: Call, field: str, value: object, words: list[str]) -> None:
    answer = await call("POST", URL, {**EXPERIMENT, field: value})
    ((path, message),) = (detail.values() for detail in answer.details)
    assert path == field
    assert all(word in message for word in words), message


@pytest.mark.parametrize("field", list(EXPERIMENT))
async def test_a_missing_field_is_a_422_with_its_path(call: Call, field: str) -> None:
    answer = await call("POST", URL, {name: value for name, value in EXPERIMENT.items() if name != field})
    assert (answer.status, answer.details[0]["path"]) == (422, field)


async def test_an_unknown_version_is_refused_with_the_known_ones(call: Call) -> None:
    answer = await call("POST", URL, {**EXPERIMENT, "variant_a": "v9"})
    assert (answer.status, answer.code) == (422, "UNKNOWN_VERSION")
    assert {"v9", "v1", "v2", "v3"} <= set(re.findall(r"\w+", answer.error or ""))


@pytest.mark.parametrize("split", [0, 0.0, 1, 1.0])
async def test_a_split_can_give_one_variant_nothing(call: Call, split: float) -> None:
    assert (await call("POST", URL, {**EXPERIMENT, "traffic_split": split})).data["traffic_split"] == split


async def test_an_id_can_be_used_once(call: Call) -> None:
    await call("POST", URL, EXPERIMENT)
    answer = await call("POST", URL, {**EXPERIMENT, "name": "another"})
    assert (answer.status, answer.code) == (409, "CONFLICT")


async def test_malformed_json_is_a_400(call: Call) -> None:
    answer = await call("POST", URL, b'{"name": NaN}')
    assert (answer.status, answer.code) == (400, "MALFORMED_JSON")


async def test_an_experiment_goes_from_draft_to_active_to_stopped(call: Call) -> None:
    await call("POST", URL, EXPERIMENT)
    answer = await call("POST", f"{URL}/exp/activate")
    assert of(answer, "status", "active", "stopped_experiment") == ("active", True, None)
    assert answer.data["activated_at"] >= answer.data["created_at"]
    again = await call("POST", f"{URL}/exp/activate")
    assert (again.status, again.data) == (200, answer.data)
    answer = await call("POST", f"{URL}/exp/stop")
    assert of(answer, "status", "active", "stop_reason") == ("stopped", False, "stopped by request")
    assert answer.data["stopped_at"] >= answer.data["activated_at"]
    again = await call("POST", f"{URL}/exp/stop")
    assert (again.status, again.data) == (200, answer.data)
    assert (await call("POST", f"{URL}/exp/activate")).status == 409


async def test_a_draft_cannot_be_stopped(call: Call) -> None:
    await call("POST", URL, EXPERIMENT)
    answer = await call("POST", f"{URL}/exp/stop")
    assert (answer.status, answer.code) == (409, "CONFLICT")


async def test_activating_another_experiment_stops_the_active_one(call: Call, running: str) -> None:
    await call("POST", URL, {**EXPERIMENT, "experiment_id": "next"})
    answer = await call("POST", f"{URL}/next/activate")
    assert answer.data["stopped_experiment"] == running
    listed = (await call("GET", URL)).data["experiments"]
    assert [(each["experiment_id"], each["status"]) for each in listed] == [("exp", "stopped"), ("next", "active")]


@pytest.mark.parametrize(
    ("method", "action"),
    [
        ("POST", "activate"),
        ("POST", "stop"),
        ("GET", ""),
        ("GET", "metrics"),
        ("GET", "report"),
        ("GET", "export"),
        ("POST", "evaluate"),
        ("POST", "notes"),
    ],
)
@pytest.mark.parametrize("name", ["none", "%00", "a%20b", "a" * 65])
async def test_an_unknown_id_in_a_path_is_a_404(call: Call, method: str, action: str, name: str) -> None:
    data = [{"timestamp": hour * 3600, "open": 1.1, "high": 1.1, "low": 1.1, "close": 1.1} for hour in range(3)]
    bodies = {"evaluate": {"pair": "EUR/USD", "data": data, "horizon": 1}, "notes": {"text": "seen"}}
    answer = await call(method, f"{URL}/{name}/{action}".rstrip("/"), bodies.get(action))
    assert (answer.status, answer.code) == (404, "UNKNOWN_EXPERIMENT")


async def test_changes_of_experiments_are_in_the_log(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for name in ("exp", "next"):
        await call("POST", URL, {**EXPERIMENT, "experiment_id": name})
        await call("POST", f"{URL}/{name}/activate")
    stopped = (await call("POST", f"{URL}/exp/stop")).data["stopped_at"]
    lines = [message for message in caplog.messages if message.startswith("experiment_")]
    assert lines[0] == "experiment_created experiment=exp mode=split variant_a=v1 variant_b=v2"
    assert re.fullmatch(r"experiment_activated experiment=exp since=20\S+Z stopped_experiment=", lines[1])
    assert re.fullmatch(r"experiment_activated experiment=next since=20\S+Z stopped_experiment=exp", lines[3])
    assert lines[4] == f'experiment_stopped experiment=exp since={stopped} reason="experiment next was activated"'


async def test_metrics_of_a_draft_are_zero(call: Call) -> None:
    await call("POST", URL, EXPERIMENT)
    nothing = {
        "count": 0,
        "signals": {"long": 0, "short": 0, "hold": 0},
        "avg_confidence": None,
        "imported": 0,
        "users": 0,
        "fallbacks": 0,
        "failures": 0,
        "refused": 0,
        "unrecorded": 0,
        "late": 0,
    }
    assert (await call("GET", f"{URL}/exp/metrics")).data == {
        "experiment_id": "exp",
        "name": "One against two",
        "active": False,
        "status": "draft",
        "mode": "split",
        "variants": {
            "A": {"model_version": "v1", "traffic_split": 0.7, "metrics": nothing},
            "B": {"model_version": "v2", "traffic_split": 1 - 0.7, "metrics": nothing},
        },
        "beside": {"without_user": 0, "named_version": 0},
    }


async def test_metrics_count_every_answered_prediction(call: Call, write: Write, running: str) -> None:
    await write(
        exposure("p1", confidence=0.5),
        exposure("p2", confidence=0.75, signal="hold", user="u2"),
        exposure("p3", variant="B", version="v2", signal="short", user="u3"),
        exposure("p4", variant="B", version="v1", fallback_reason="version v2 is not loaded", user="u3"),
        Failure(AT, running, "B"),
        Refusal(AT, running, "B"),
        Refusal(AT, running, "B"),
        Unrecorded(AT, running, "B", 3),
        Beside(AT, running, "without_user", 30),
        Beside(AT, running, "named_version", 2),
        Beside(AT, running, "without_user", 4),
    )
    data = (await call("GET", f"{URL}/{running}/metrics")).data
    assert data["beside"] == {"without_user": 34, "named_version": 2}
    variants = data["variants"]
    assert variants["A"]["metrics"] == {
        "count": 2,
        "signals": {"long": 1, "short": 0, "hold": 1},
        "avg_confidence": 0.625,
        "imported": 0,
        "users": 2,
        "fallbacks": 0,
        "failures": 0,
        "refused": 0,
        "unrecorded": 0,
        "late": 0,
    }
    assert variants["B"]["metrics"] == {
        "count": 1,
        "signals": {"long": 0, "short": 1, "hold": 0},
        "avg_confidence": 0.75,
        "imported": 0,
        "users": 1,
        "fallbacks": 1,
        "failures": 1,
        "refused": 2,
        "unrecorded": 3,
        "late": 0,
    }


async def test_metrics_include_imported_counts_and_show_their_number(
    call: Call, write: Write, running: str, store: StoreAccess
) -> None:
    counts = ImportedCounts(3, {"long": 1, "short": 0, "hold": 2}, 2.25)
    state = await store.read(lambda store: store.state())
    assert state.experiment is not None
    imported = msgspec.structs.replace(state.experiment, imported={"A": counts})
    await store.write(lambda store: store.change(state.revision, state, [imported]))
    await write(exposure("p1", confidence=0.75))
    metrics = (await call("GET", f"{URL}/{running}/metrics")).data["variants"]["A"]["metrics"]
    assert (metrics["count"], metrics["imported"], metrics["avg_confidence"]) == (4, 3, 0.75)
    assert metrics["signals"] == {"long": 2, "short": 0, "hold": 2}


async def test_an_unavailable_store_is_a_503_and_logged(
    call: Call, store: StoreAccess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def gone(_: object) -> None:
        raise StoreUnavailable("the database is gone")

    monkeypatch.setattr(store, "write", gone)
    for method, path, body in (
        ("POST", URL, EXPERIMENT),
        ("GET", URL, None),
        ("POST", f"{URL}/exp/activate", None),
        ("GET", f"{URL}/exp", None),
        ("GET", f"{URL}/exp/export", None),
        ("POST", f"{URL}/exp/notes", {"text": "seen"}),
    ):
        answer = await call(method, path, body)
        assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
        pattern = re.sub(r"/exp(?=/|$)", "/{id}", path)
        assert f'request_refused endpoint="{method} {pattern}" code=STORE_UNAVAILABLE' in caplog.text
        assert 'count=1 error="the database is gone"' in caplog.text


async def test_a_variant_without_its_bundle_is_unavailable_and_not_unknown(call: Call, models: Path) -> None:
    """The call does not name the version, and a 404 would mean that the experiment does not exist."""
    assert (await call("POST", URL, EXPERIMENT)).status == 201
    assert (await call("POST", "/reversal/models/v2/unload")).status == 200
    await asyncio.to_thread(shutil.rmtree, models / "v2")
    answer = await call("POST", f"{URL}/exp/activate")
    assert (answer.status, answer.code) == (503, "MODEL_UNAVAILABLE")
    assert "v2" in (answer.error or "")
