"""Bundles whose graph never ends or takes all memory: at start, at a load, at a reload, in a replaced worker."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import bundles, hanging
from tests.processes import Server, get, post, serving
from tests.system.checks import events
from tests.system.load import question
from tests.waiting import wait_until


@pytest.fixture
def own_models(tmp_path: Path) -> Path:
    """One good version, v1, the default."""
    bundles.write(tmp_path / "models", "v1")
    bundles.write_order(tmp_path / "models", "v1")
    return tmp_path / "models"


def answers(server: Server, version: str | None = None) -> bool:
    body = {**question(0, 0), "features": [[0.5] * 2] * 4, "version": version}
    return post(f"{server.url}/reversal/predict", body)[0] == 200


def error_of(server: Server, version: str) -> str | None:
    error: str | None = get(f"{server.url}/reversal/models")[1]["data"]["versions"][version].get("error")
    return error


def test_a_start_skips_a_version_that_does_not_end(own_models: Path) -> None:
    hanging.write(own_models, "v0", "loop", "stage2")
    bundles.write(own_models, "v2")
    bundles.write_order(own_models, "v0", "v1", "v2")
    with serving("--models", str(own_models), "--workers", "2") as server:
        assert answers(server)
        assert get(f"{server.url}/health")[1]["model_version"] == "v1"
        assert answers(server, "v2")
        error = error_of(server, "v0")
        assert error is not None
        assert error.startswith("bundle v0: stage2: ")
        assert any("SIGPROF" in line for line in events(server.log, "worker_start_failed"))
        # One worker tries it for all.
        (line,) = events(server.log, "version_trial_failed")
        assert "version=v0 stage=stage2 " in line
        assert len(events(server.log, "version_skipped")) == 2
        workers = server.workers
        os.kill(workers[0], signal.SIGKILL)
        wait_until(lambda: len(server.workers) == 2 and server.workers != workers)
        wait_until(lambda: len(events(server.log, "worker_ready")) == 3)
        assert len(events(server.log, "version_trial_failed")) == 1
        assert answers(server)


def trials_of(worker: int) -> list[int]:
    """The processes that any thread of a worker has started."""
    return [int(pid) for task in Path(f"/proc/{worker}/task").glob("*/children") for pid in task.read_text().split()]


@pytest.mark.parametrize("kind", ["loop", "expand"])
def test_a_load_refuses_a_version_that_does_not_end_or_fit(own_models: Path, kind: str) -> None:
    with serving("--models", str(own_models), "--workers", "2") as server, ThreadPoolExecutor(1) as executor:
        wait_until(lambda: len(events(server.log, "worker_ready")) == 2)  # a worker that starts would load v9 at once
        before = server.pids
        hanging.write(own_models, "v9", kind)
        load = executor.submit(post, f"{server.url}/reversal/models/v9/load")
        answered = 0
        while not load.done():
            assert answers(server)
            answered += 1
        assert answered
        status, answer = load.result()
        assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
        assert answer["error"].startswith("bundle v9: stage1: ")
        (line,) = events(server.log, "version_trial_failed")
        assert "version=v9 stage=stage1 " in line
        assert server.pids == before
        assert not any(trials_of(worker) for worker in server.workers)
        bundles.write(own_models, "v9")
        assert post(f"{server.url}/reversal/models/v9/load")[0] == 200
        assert answers(server, "v9")


def test_a_reload_does_not_load_a_version_that_does_not_end(own_models: Path) -> None:
    bundles.write(own_models, "v2")
    with serving("--models", str(own_models)) as server:
        assert answers(server, "v2")
        hanging.write(own_models, "v2", "loop")
        hanging.write(own_models, "v3", "loop")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(events(server.log, "worker_ready")) == 2)
        assert answers(server, "v2")  # as it was loaded before
        assert not events(server.log, "version_trial_failed")
        assert not events(server.log, "worker_start_failed")
