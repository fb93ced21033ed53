"""The state that a startup finds: of the last run, in use by another server, of a newer release, or unreadable."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.store.sql.schema import MIGRATIONS
from tests import bundles
from tests.market import DEFAULT, ONNX, ROOT
from tests.processes import Server, free_port, get, post, serving
from tests.system.checks import events
from tests.system.load import change, question, start_experiment
from tests.waiting import wait_until


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_a_restart_resumes_the_experiment_and_the_switched_version(models: Path, tmp_path: Path, ending: str) -> None:
    with serving("--models", str(models), state=tmp_path) as server:
        change(server.url, "models/v2/switch")
        start_experiment(server.url, "resumed")
        before = predict(server, user_id="alice")["experiment"]
        getattr(server, ending)()
    with serving("--models", str(models), state=tmp_path) as server:
        assert predict(server, user_id="alice")["experiment"] == before
        assert predict(server, user_id=None)["model_version"] == "v2"
        assert change(server.url, "experiments/resumed/stop")["status"] == "stopped"


def test_a_version_that_was_switched_to_stays_active_if_a_release_brings_another_default(tmp_path: Path) -> None:
    before = tmp_path / "models"
    for version in ("v3.1", "v3.0"):
        shutil.copytree(ONNX / version, before / version)
    bundles.write_order(before, "v3.1", "v3.0")
    with serving("--models", str(before), state=tmp_path) as server:
        for version in ("v3.0", "v3.1"):
            change(server.url, f"models/{version}/switch")
        server.stop()
    with serving("--models", str(ONNX), state=tmp_path) as server:
        assert get(f"{server.url}/health")[1]["model_version"] == "v3.1" != DEFAULT


def test_a_restart_with_another_bundle_stops_the_experiment(tmp_path: Path) -> None:
    models = tmp_path / "models"
    for version in ("v1", "v2"):
        bundles.write(models, version)
    bundles.write_order(models, "v1", "v2")
    with serving("--models", str(models), state=tmp_path) as server:
        start_experiment(server.url, "held")
        (held,) = get(f"{server.url}/reversal/experiments")[1]["data"]["experiments"]
        server.stop()
    bundles.write(models, "v2", threshold=0.7)
    with serving("--models", str(models), state=tmp_path) as server:
        answered = predict(server, user_id="alice")
        assert (answered["model_version"], "experiment" in answered) == ("v1", False)

        def experiment() -> Any:  # noqa: ANN401
            return get(f"{server.url}/reversal/experiments")[1]["data"]["experiments"][0]

        wait_until(lambda: experiment()["status"] == "stopped")
        assert held["digests"]["B"] in experiment()["stop_reason"]
        assert hashlib.sha256((models / "v2" / "manifest.json").read_bytes()).hexdigest() in experiment()["stop_reason"]
        (line,) = events(server.log, "bundle_replaced")
        assert "experiment=held version=v2" in line
        assert (
            get(f"{server.url}/reversal/experiments/held/metrics")[1]["data"]["variants"]["A"]["metrics"]["count"] == 0
        )


@pytest.mark.parametrize(("journals", "in_use"), [("journals", "journals"), ("others", "state.db")])
def test_a_second_server_on_the_same_state_is_refused_and_leaves_no_process(
    models: Path, tmp_path: Path, journals: str, in_use: str
) -> None:
    with serving("--models", str(models), state=tmp_path) as server:
        port = free_port()
        arguments = ["--models", str(models), "--journals", str(tmp_path / journals), "--log-level", "critical"]
        run = start(*arguments, "--port", str(port), state=tmp_path)
        assert run.returncode == 1
        assert run.stderr.count("\n") == 1
        assert f"{tmp_path / in_use}" in run.stderr
        assert run.stderr.endswith(f" by process {server.process.pid}\n")
        wait_until(lambda: not listening(port))
        # The first server is not affected.
        start_experiment(server.url, "alone")
        assert predict(server)["experiment"]["experiment_id"] == "alone"


def test_a_state_of_a_newer_release_is_refused_with_both_schema_versions(models: Path, tmp_path: Path) -> None:
    with serving("--models", str(models), state=tmp_path) as server:
        server.stop()
    with sqlite3.connect(tmp_path / "state.db") as state:
        state.execute("UPDATE meta SET value = ? WHERE name = 'schema'", [str(len(MIGRATIONS) + 1)])
    state.close()
    port = free_port()
    run = start("--models", str(models), "--port", str(port), "--log-level", "critical", state=tmp_path)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    _, named, text = run.stderr.partition(f"{tmp_path}/state.db")
    assert named
    assert re.findall(r"\d+", text) == [str(len(MIGRATIONS) + 1), str(len(MIGRATIONS))]
    wait_until(lambda: not listening(port))


def test_an_unreadable_state_file_is_renamed_and_a_new_one_is_created(models: Path, tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database, and of some size" * 100)
    with serving("--models", str(models), state=tmp_path) as server:
        start_experiment(server.url, "new")
        assert predict(server)["experiment"]["experiment_id"] == "new"
        log = server.stop()
    (renamed,) = tmp_path.glob("state.db.unreadable-*")
    assert renamed.read_bytes().startswith(b"not a database")
    (line,) = events(log, "state_file_unreadable")
    assert f" renamed_to={renamed} " in line


def test_a_journals_folder_that_cannot_be_created_is_named(models: Path, tmp_path: Path) -> None:
    (tmp_path / "journals").write_text("a file")
    run = start("--models", str(models), "--port", "0", "--log-level", "critical", state=tmp_path)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert f"{tmp_path}/journals/" in run.stderr


def test_a_port_that_is_in_use_ends_the_second_server_only(models: Path, tmp_path: Path) -> None:
    with serving("--models", str(models), state=tmp_path) as server:
        port = server.url.rpartition(":")[2]
        run = start("--models", str(models), "--port", port, "--log-level", "critical", state=tmp_path / "other")
        assert run.returncode == 1
        assert f"127.0.0.1:{port}: {os.strerror(errno.EADDRINUSE)}" in run.stderr
        assert predict(server)["model_version"] == "v1"


def predict(server: Server, **fields: object) -> dict[str, Any]:
    status, answer = post(f"{server.url}/reversal/predict", question(0, 1) | fields)
    assert status == 200, answer
    data: dict[str, Any] = answer["data"]
    return data


def start(*arguments: str, state: Path) -> subprocess.CompletedProcess[str]:
    """Start a server, which must end with an error."""
    environ = os.environ | {
        "REVERSAL_STATE_URL": f"sqlite:///{state}/state.db",
        "REVERSAL_JOURNALS": str(state / "journals"),
    }
    command = [sys.executable, "-m", "server", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)


def listening(port: int) -> bool:
    """Whether any process still listens on the port."""
    try:
        get(f"http://127.0.0.1:{port}/livez")
    except ConnectionRefusedError:
        return False
    except OSError as error:
        return not isinstance(getattr(error, "reason", None), ConnectionRefusedError)
    return True
