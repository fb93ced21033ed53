"""Digests at activation, changed bundles while the experiment runs, and versions with different requirements."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from core.bundles.manifest import FILE_NAME
from core.errors import StoreUnavailable
from core.experiments.experiment import Experiment
from core.serving.state import Replaced
from server.keeper.changes import Changes
from server.protocol.messages import Applied, Apply, Prepare, Ready
from tests import bundles
from tests.server.keeper.calls import EXPERIMENT, Call
from tests.server.keeper.scripted_worker import ScriptedWorker
from tests.waiting import until

URL = "/reversal/experiments"


def digest(models: Path, version: str) -> str:
    return hashlib.sha256((models / version / FILE_NAME).read_bytes()).hexdigest()


async def listed(call: Call) -> dict[str, Any]:
    (found,) = (await call("GET", URL)).data["experiments"]
    return dict(found)


async def test_the_digests_of_both_bundles_are_recorded_at_activation(call: Call, models: Path) -> None:
    assert (await call("POST", URL, EXPERIMENT)).data["digests"] is None
    await asyncio.to_thread(bundles.write, models, "v2", threshold=0.7)  # loaded is the one before
    expected = await asyncio.to_thread(lambda: {"A": digest(models, "v1"), "B": digest(models, "v2")})
    assert (await call("POST", f"{URL}/exp/activate")).data["digests"] == expected
    await asyncio.to_thread(bundles.write, models, "v2", threshold=0.8)
    assert (await call("POST", f"{URL}/exp/activate")).data["digests"] == expected
    assert (await call("POST", f"{URL}/exp/stop")).data["digests"] == expected
    assert (await listed(call))["digests"] == expected


@pytest.mark.usefixtures("running")
async def test_loading_a_changed_bundle_of_the_running_experiment_is_a_conflict(call: Call, models: Path) -> None:
    load = "/reversal/models/v2/load"
    assert (await call("POST", load)).status == 200
    await asyncio.to_thread(bundles.write, models, "v2", threshold=0.8)
    answer = await call("POST", load)
    assert (answer.status, answer.code) == (409, "CONFLICT")
    assert all(name in (answer.error or "") for name in ("v2", "exp"))
    assert (await listed(call))["status"] == "active"
    await call("POST", f"{URL}/exp/stop")
    assert (await call("POST", load)).status == 200


async def start_replaced(worker: ScriptedWorker, call: Call, experiment_id: str = "exp") -> str:
    """Activate an experiment, with this worker's report that v2 is another bundle; returns the recorded digest."""
    await call("POST", URL, EXPERIMENT)
    calling = asyncio.ensure_future(call("POST", f"{URL}/exp/activate"))
    asked = await worker.receive()
    await worker.send(Ready(asked.change))
    applied = await worker.receive()
    assert isinstance(applied, Apply)
    await worker.send(Applied(applied.change, "v1", (Replaced(experiment_id, "v2", "f00d"),)))
    recorded: str = (await calling).data["digests"]["B"]
    return recorded


async def confirm_stop(worker: ScriptedWorker) -> None:
    asked = await worker.receive()
    assert isinstance(asked, Prepare)
    assert asked.state.experiment is None
    await worker.send(Ready(asked.change))
    applied = await worker.receive()
    await worker.send(Applied(applied.change, "v1"))


async def test_a_worker_with_another_bundle_stops_the_experiment_with_both_digests(
    worker: ScriptedWorker, call: Call, changes: Changes, caplog: pytest.LogCaptureFixture
) -> None:
    recorded = await start_replaced(worker, call)
    await confirm_stop(worker)
    await until(lambda: changes.state.experiment is None)
    stopped = await listed(call)
    assert stopped["status"] == "stopped"
    assert all(part in stopped["stop_reason"] for part in ("v2", recorded, "f00d"))
    (line,) = [message for message in caplog.messages if message.startswith("bundle_replaced")]
    assert line.startswith(f"bundle_replaced experiment=exp version=v2 recorded={recorded} found=f00d effect=")


async def test_the_stop_is_repeated_while_the_store_is_unavailable(
    worker: ScriptedWorker, call: Call, changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, tries = changes.stop, []

    async def failing(experiment_id: str, reason: str) -> Experiment:
        tries.append(reason)
        if len(tries) < 3:
            raise StoreUnavailable("gone")
        return await stop(experiment_id, reason)

    monkeypatch.setattr(changes, "stop", failing)
    monkeypatch.setattr("server.keeper.app.RETRY_SECONDS", 0.01)
    await start_replaced(worker, call)
    await confirm_stop(worker)
    await until(lambda: changes.state.experiment is None)
    assert len(tries) == 3
    assert len(set(tries)) == 1


async def test_a_report_on_an_earlier_experiment_stops_nothing(
    worker: ScriptedWorker, call: Call, changes: Changes
) -> None:
    await start_replaced(worker, call, "earlier")
    switching = asyncio.ensure_future(changes.switch("v2"))
    asked = await worker.receive()  # the next change, so that no stop came before it
    assert isinstance(asked, Prepare)
    assert asked.state.experiment is not None
    await worker.send(Ready(asked.change))
    applied = await worker.receive()
    await worker.send(Applied(applied.change, "v2"))
    await switching
    assert (await listed(call))["status"] == "active"


@pytest.mark.parametrize(("mode", "strict"), [("split", "v1"), ("split", "v2"), ("shadow", "v2")])
async def test_versions_with_different_required_candles_are_a_warning(
    call: Call, models: Path, mode: str, strict: str
) -> None:
    await asyncio.to_thread(bundles.write, models, strict, features=("close", "sma_20"))
    await call("POST", URL, {**EXPERIMENT, "mode": mode, "traffic_split": None if mode == "shadow" else 0.7})
    for _ in range(2):  # activating the active one says so, too
        (warning,) = (await call("POST", f"{URL}/exp/activate")).data["warnings"]
        assert warning["code"] == "DIFFERENT_REQUIRED_CANDLES"
        assert all(number in warning["message"] for number in ("8", "23"))


@pytest.mark.parametrize(
    ("mode", "alone", "words"),
    [
        ("split", "v1", ("v1 (A)", "A alone refuses")),
        ("split", "v2", ("v2 (B)", "B alone refuses")),
        ("shadow", "v2", ("v2 (B)", "B cannot score")),
    ],
)
async def test_a_version_that_takes_features_only_against_one_that_takes_candles_is_a_warning(
    call: Call, models: Path, mode: str, alone: str, words: tuple[str, ...]
) -> None:
    await asyncio.to_thread(bundles.write, models, alone, inputs="features")
    await call("POST", URL, {**EXPERIMENT, "mode": mode, "traffic_split": None if mode == "shadow" else 0.7})
    (warning,) = (await call("POST", f"{URL}/exp/activate")).data["warnings"]
    assert warning["code"] == "DIFFERENT_INPUTS"
    assert all(word in warning["message"] for word in words)


@pytest.mark.parametrize(("strict", "words"), [("v1", ("v1 (A)", "A alone refuses")), ("v2", ("v2 (B)", "B alone"))])
async def test_a_version_that_requires_timestamps_against_one_that_does_not_is_a_warning(
    call: Call, models: Path, strict: str, words: tuple[str, ...]
) -> None:
    await asyncio.to_thread(bundles.write, models, strict, features=("close", "hour"))
    await call("POST", URL, EXPERIMENT)
    (warning,) = (await call("POST", f"{URL}/exp/activate")).data["warnings"]
    assert warning["code"] == "DIFFERENT_INPUTS"
    assert all(word in warning["message"] for word in (*words, "timestamp"))


async def test_more_candles_and_timestamps_are_two_warnings(call: Call, models: Path) -> None:
    await asyncio.to_thread(bundles.write, models, "v2", features=("hour_sin", "sma_20"))
    await call("POST", URL, EXPERIMENT)
    warnings = (await call("POST", f"{URL}/exp/activate")).data["warnings"]
    assert [each["code"] for each in warnings] == ["DIFFERENT_REQUIRED_CANDLES", "DIFFERENT_INPUTS"]


async def test_two_versions_that_require_timestamps_are_no_warning(call: Call, models: Path) -> None:
    for version, name in (("v1", "hour"), ("v2", "weekday")):
        await asyncio.to_thread(bundles.write, models, version, features=("sma_5", name))
    await call("POST", URL, EXPERIMENT)
    assert "warnings" not in (await call("POST", f"{URL}/exp/activate")).data


async def test_two_versions_that_take_features_only_are_no_warning(call: Call, models: Path) -> None:
    for version in ("v1", "v2"):
        await asyncio.to_thread(bundles.write, models, version, inputs="features")
    await call("POST", URL, EXPERIMENT)
    assert "warnings" not in (await call("POST", f"{URL}/exp/activate")).data


async def test_versions_with_the_same_required_candles_are_no_warning(call: Call, running: str) -> None:
    assert "warnings" not in (await call("POST", f"{URL}/{running}/activate")).data


async def test_a_version_that_is_loaded_but_no_longer_in_the_folder_has_no_digest(call: Call, models: Path) -> None:
    await call("POST", URL, EXPERIMENT)
    await asyncio.to_thread(shutil.rmtree, models / "v2")
    answer = await call("POST", f"{URL}/exp/activate")
    assert answer.status == 200
    assert set(answer.data["digests"]) == {"A"}
    assert "warnings" not in answer.data
