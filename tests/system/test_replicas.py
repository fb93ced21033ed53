"""Two servers on one PostgreSQL, each with its own keeper and journals, as on two machines."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import bundles
from tests import postgres as databases
from tests.postgres import Server as Postgres
from tests.processes import Server, get, post, serving
from tests.system.checks import assert_stored, events
from tests.system.load import Load, change, question, start_experiment
from tests.waiting import wait_until


class Replicas(NamedTuple):
    """Two servers, and the URL of the store that they share."""

    one: Server
    other: Server
    store: str


@pytest.fixture(scope="module")
def replicas(models: Path, tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Replicas]:
    with (
        databases.database(postgres.url) as url,
        replica(models, tmp_path_factory, url) as one,
        replica(models, tmp_path_factory, url) as other,
    ):
        yield Replicas(one, other, url)
        for server in (one, other):
            log = server.stop()
            assert server.process.returncode == 0
            assert "Traceback" not in log


@contextmanager
def replica(models: Path, folders: pytest.TempPathFactory, url: str) -> Iterator[Server]:
    journals = folders.mktemp("journals")
    arguments = ["--models", str(models), "--state-url", url, "--journals", str(journals)]
    with serving(*arguments, REVERSAL_WORKERS="2") as server:
        yield server


def predict(server: Server, **fields: object) -> dict[str, Any]:
    """The data of an answer, or the whole answer if it is an error."""
    _, answer = post(f"{server.url}/reversal/predict", question(0, 1) | fields)
    data: dict[str, Any] = answer["data"] or answer
    return data


def experiments(server: Server) -> dict[str, Any]:
    """All experiments by id, as a replica lists them."""
    return {it["experiment_id"]: it for it in get(f"{server.url}/reversal/experiments")[1]["data"]["experiments"]}


def both_workers(server: Server, condition: Callable[[dict[str, Any]], bool], **fields: object) -> bool:
    """Whether twenty answers in a row fulfil a condition. So many come from both workers of a server."""
    return all(condition(predict(server, **fields)) for _ in range(20))


def test_activation_and_stop_apply_to_the_other_replica(replicas: Replicas) -> None:
    start_experiment(replicas.one.url, "activated")
    wait_until(lambda: both_workers(replicas.other, lambda data: data.get("experiment") is not None))
    # A user has the same variant on both replicas.
    for number in range(30):
        assert (
            predict(replicas.one, user_id=f"user{number}")["experiment"]
            == predict(replicas.other, user_id=f"user{number}")["experiment"]
        )
    change(replicas.other.url, "experiments/activated/stop")
    wait_until(lambda: both_workers(replicas.one, lambda data: "experiment" not in data))
    assert experiments(replicas.one)["activated"]["status"] == "stopped"


def test_a_replica_with_another_bundle_stops_the_experiment_everywhere(
    models: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, postgres: Postgres
) -> None:
    other_models = Path(shutil.copytree(models, tmp_path / "models"))
    bundles.write(other_models, "v2", threshold=0.7)
    with (
        databases.database(postgres.url) as url,
        replica(models, tmp_path_factory, url) as one,
        replica(other_models, tmp_path_factory, url) as other,
    ):
        start_experiment(one.url, "differing")
        wait_until(lambda: all(experiments(server)["differing"]["status"] == "stopped" for server in (one, other)))
        wait_until(lambda: all(both_workers(server, lambda data: "experiment" not in data) for server in (one, other)))
        stopped = experiments(one)["differing"]
        assert stopped["digests"]["B"] in stopped["stop_reason"]
        assert stopped == experiments(other)["differing"]
        for path in (models, other_models):
            digest = hashlib.sha256((path / "v2" / "manifest.json").read_bytes()).hexdigest()
            assert digest in stopped["stop_reason"]


def test_a_switch_applies_to_the_other_replica(replicas: Replicas) -> None:
    change(replicas.one.url, "models/v2/switch")
    wait_until(lambda: both_workers(replicas.other, lambda data: data["model_version"] == "v2"))
    assert change(replicas.other.url, "models/v1/switch") == {"active_version": "v1", "previous_version": "v2"}
    wait_until(lambda: both_workers(replicas.one, lambda data: data["model_version"] == "v1"))


def test_unload_and_load_apply_to_the_other_replica(replicas: Replicas) -> None:
    change(replicas.one.url, "models/v2/unload")
    wait_until(lambda: both_workers(replicas.other, lambda data: data.get("model_version") is None, version="v2"))
    change(replicas.other.url, "models/v2/load")
    wait_until(lambda: both_workers(replicas.one, lambda data: data.get("model_version") == "v2", version="v2"))


def test_the_counts_of_both_replicas_add_up(replicas: Replicas) -> None:
    answered: set[str] = set()

    def under_the_experiment(data: dict[str, Any]) -> bool:
        answered.update({data["prediction_id"]} if "prediction_id" in data else ())
        return "experiment" in data

    start_experiment(replicas.one.url, "counted")
    wait_until(lambda: both_workers(replicas.other, under_the_experiment))
    one, other = Load(replicas.one.url, clients=3), Load(replicas.other.url, clients=3)
    with one.running(), other.running():
        one.wait_for(200)
        other.wait_for(200)
    for load in (one, other):
        assert not load.refused
        assert not load.lost
    answered |= one.answered_ids | other.answered_ids
    # Each replica reports the counts of both, once the other one has drained its journals.
    wait_until(lambda: counted(replicas.one) == counted(replicas.other) == len(answered))
    change(replicas.one.url, "experiments/counted/stop")
    assert_stored(replicas.store, "counted", answered)


def counted(server: Server) -> int:
    _, answer = get(f"{server.url}/reversal/experiments/counted/metrics")
    return sum(variant["metrics"]["count"] for variant in answer["data"]["variants"].values())


def test_outcomes_of_predictions_that_the_other_replica_answered(replicas: Replicas) -> None:
    start_experiment(replicas.one.url, "outcomes")
    wait_until(lambda: both_workers(replicas.other, lambda data: data.get("experiment") is not None))
    # Without a wait: the replica that receives the outcome may not have the prediction yet.
    for _ in range(5):
        prediction_id = predict(replicas.one, features=[[0.9, 0.9]] * 4)["prediction_id"]  # a trade
        body = {"outcomes": [{"prediction_id": prediction_id, "outcome": "win", "pnl_pips": 4.5}]}
        _, answer = post(f"{replicas.other.url}/reversal/outcomes", body)
        assert answer["data"]["results"] == [{"prediction_id": prediction_id, "status": "recorded"}]
    change(replicas.one.url, "experiments/outcomes/stop")


def test_after_two_simultaneous_activations_one_experiment_is_active_everywhere(replicas: Replicas) -> None:
    for name, server in (("race-1", replicas.one), ("race-2", replicas.other)):
        body = {"experiment_id": name, "name": "Race", "variant_a": "v1", "variant_b": "v2", "traffic_split": 0.5}
        assert post(f"{server.url}/reversal/experiments", body)[0] == 201
    with ThreadPoolExecutor(2) as pool:
        calls = [
            pool.submit(change, server.url, f"experiments/{name}/activate")
            for name, server in (("race-1", replicas.one), ("race-2", replicas.other))
        ]
        for call in calls:
            call.result()
    (active,) = [name for name, it in experiments(replicas.one).items() if it["active"]]
    assert active in ("race-1", "race-2")
    for server in replicas[:2]:
        wait_until(
            lambda server=server: both_workers(  # type: ignore[misc]
                server, lambda data: data.get("experiment", {}).get("experiment_id") == active
            )
        )
    change(replicas.one.url, f"experiments/{active}/stop")


@pytest.fixture
def folders(models: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The models folders of two machines, with the same bundles."""
    copied = [Path(shutil.copytree(models, tmp_path / name)) for name in ("one", "other")]
    return copied[0], copied[1]


@pytest.fixture
def machines(
    folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory, postgres: Postgres
) -> Iterator[tuple[Server, Server]]:
    with (
        databases.database(postgres.url) as url,
        replica(folders[0], tmp_path_factory, url) as one,
        replica(folders[1], tmp_path_factory, url) as other,
    ):
        yield one, other


def shown(server: Server, version: str) -> list[tuple[str | None, bool]]:
    """The digest of a version on each replica, the asked one first, and whether it is loaded."""
    status, answer = get(f"{server.url}/reversal/models/{version}")
    return [(each["digest"], each["loaded"]) for each in answer["data"]["replicas"]] if status == 200 else []


def test_each_replica_says_which_one_has_which_bundle(
    machines: tuple[Server, Server], folders: tuple[Path, Path]
) -> None:
    one, other = machines
    old = digest_of(folders[0], "v2")
    for server in machines:
        wait_until(lambda server=server: shown(server, "v2") == [(old, True), (old, True)])  # type: ignore[misc]
    bundles.write(folders[0], "v2", threshold=0.7)
    bundles.write(folders[0], "v4")
    change(one.url, "models/v2/load")
    new = digest_of(folders[0], "v2")
    wait_until(lambda: shown(one, "v2") == [(new, True), (old, True)])
    wait_until(lambda: shown(other, "v2") == [(old, True), (new, True)])
    assert shown(one, "v4") == [(digest_of(folders[0], "v4"), False), (None, False)]
    wait_until(lambda: bool(events(one.log, "replica_differs")))
    (name,) = {each["name"] for each in models_of(other, "v2") if each["digest"] == new}
    assert name.endswith(one.url.rpartition(":")[2])
    # Another digest refuses nothing.
    change(other.url, "models/v2/switch")


def test_a_switch_is_refused_while_a_connected_replica_lacks_the_version(
    machines: tuple[Server, Server], folders: tuple[Path, Path]
) -> None:
    one, other = machines
    wait_until(lambda: len(shown(one, "v1")) == 2)
    bundles.write(folders[0], "v4")
    switch = f"{one.url}/reversal/models/v4/switch"
    status, answer = post(switch)
    assert (status, answer["code"]) == (409, "CONFLICT")
    assert f":{other.url.rpartition(':')[2]} cannot serve version v4: not in its models folder" in answer["error"]
    assert get(f"{one.url}/health")[1]["model_version"] == "v1"
    # A switch that follows its publication and load at once succeeds.
    bundles.write(folders[1], "v4")
    change(one.url, "models/v4/load")
    assert post(switch)[0] == 200
    wait_until(lambda: both_workers(other, lambda data: data["model_version"] == "v4"))
    # A replica that has ended does not block, nor does one that hangs for longer than 10 s.
    bundles.write(folders[0], "v5")
    assert post(f"{one.url}/reversal/models/v5/switch")[0] == 409
    pids = other.pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: post(f"{one.url}/reversal/models/v5/switch")[0] == 200)
    # Healed, it lacks the active version: it answers, but a load balancer leaves it out.
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: get(f"{other.url}/readyz")[0] == 503)
    reason = get(f"{other.url}/readyz")[1]["reason"]
    assert reason == "the active version v5 is not loaded here, v1 answers instead"
    assert predict(other)["model_version"] == "v1"
    assert get(f"{one.url}/readyz")[0] == 200
    bundles.write(folders[1], "v5")
    change(one.url, "models/v5/load")
    wait_until(lambda: get(f"{other.url}/readyz")[0] == 200)
    other.stop()
    bundles.write(folders[0], "v6")
    assert post(f"{one.url}/reversal/models/v6/switch")[0] == 200


def models_of(server: Server, version: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get(f"{server.url}/reversal/models/{version}")[1]["data"]["replicas"]
    return found


def digest_of(models: Path, version: str) -> str:
    return hashlib.sha256((models / version / "manifest.json").read_bytes()).hexdigest()
