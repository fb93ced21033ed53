"""The signals that an operator sends: SIGTERM, SIGHUP and SIGINT."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.application import state_arguments
from tests.market import ROOT
from tests.processes import alive, children, free_port, post, serving, starting
from tests.system.checks import assert_stored, events
from tests.system.disasters import locked
from tests.system.load import Load, question, start_experiment
from tests.waiting import wait_until

WORKERS = 2


def test_sigterm_under_load_answers_accepted_requests_and_stores_them(models: Path, tmp_path: Path) -> None:
    with serving("--models", str(models), state=tmp_path, REVERSAL_WORKERS=str(WORKERS)) as server:
        start_experiment(server.url, "term")
        load = Load(server.url)
        with load.running():
            load.wait_for(200)
            pids = server.pids
            log = server.stop()
        assert server.process.returncode == 0
        assert not any(map(alive, pids))
    assert not load.refused
    assert "Traceback" not in log
    assert " ERROR " not in log
    assert " WARNING " not in log
    assert_stored(f"sqlite:///{tmp_path}/state.db", "term", load.answered_ids)


def test_sighup_replaces_all_workers_and_refuses_no_request(models: Path, tmp_path: Path) -> None:
    with serving("--models", str(models), state=tmp_path, REVERSAL_WORKERS=str(WORKERS)) as server:
        start_experiment(server.url, "hup")
        before = set(server.workers)
        load = Load(server.url)
        with load.running():
            load.wait_for(100)
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: not before & set(server.workers) and len(server.workers) == WORKERS)
            load.wait_for(100)
        assert not load.refused
        assert not load.lost
        log = server.stop()
    assert "Traceback" not in log
    assert_stored(f"sqlite:///{tmp_path}/state.db", "hup", load.answered_ids)


def test_a_start_that_hangs_ends_on_sigterm(models: Path, tmp_path: Path) -> None:
    with serving("--models", str(models), state=tmp_path) as server:
        server.stop()
    (folder,) = (file.parent for file in tmp_path.glob("journals/*/state.json"))
    os.mkfifo(folder / "state.new")  # a write at startup blocks, because no process reads the pipe
    with starting("--models", str(models), state=tmp_path, REVERSAL_WORKERS=str(WORKERS)) as server:
        wait_until(lambda: bool(events(server.log, "port_opened")) and len(server.workers) == WORKERS)
        pids = server.pids
        log = server.stop()
        assert server.process.returncode == 0
        assert events(log, "keeper_start_cancelled")
        assert not any(map(alive, pids))


def test_a_worker_that_gets_sigterm_is_replaced_and_the_new_one_takes_changes(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_WORKERS=str(WORKERS)) as server:
        ended = server.workers[0]
        os.kill(ended, signal.SIGTERM)
        wait_until(lambda: ended not in server.workers and len(server.workers) == WORKERS)
        start_experiment(server.url, "after")
        for number in range(50):
            status, answer = post(f"{server.url}/reversal/predict", question(0, number))
            assert status == 200
            assert answer["data"]["experiment"]["experiment_id"] == "after"


def test_signals_after_the_workers_have_ended_have_no_effect(models: Path, tmp_path: Path) -> None:
    with serving("--models", str(models), state=tmp_path) as server:
        start_experiment(server.url, "late")
        with locked(tmp_path / "state.db"):
            status, answer = post(f"{server.url}/reversal/predict", question(0, 1))
            assert status == 200
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: not children(server.process.pid))
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                server.process.send_signal(number)
                time.sleep(0.05)  # without a pause they can arrive in another order
            assert server.process.poll() is None  # it waits for the lock, and then drains the journals
        assert server.process.wait(20) == 0
        assert "Traceback" not in server.log
    assert_stored(f"sqlite:///{tmp_path}/state.db", "late", {answer["data"]["prediction_id"]})


# Delays the manager at one of two moments of its startup. The file $REACHED appears at that moment.
SLOW_STARTS = {
    "forked": """
import os, pathlib, time
def slow():
    pathlib.Path(os.environ["REACHED"]).touch()
    time.sleep(0.5)
os.register_at_fork(after_in_child=slow)
""",
    "starting": """
import os, pathlib, time
from gunicorn.arbiter import Arbiter
_start = Arbiter.start
def start(self):
    pathlib.Path(os.environ["REACHED"]).touch()
    time.sleep(0.5)
    _start(self)
Arbiter.start = start
""",
}


@pytest.mark.parametrize("moment", SLOW_STARTS)
def test_ctrl_c_during_startup_stops_the_server(models: Path, tmp_path: Path, moment: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOW_STARTS[moment])
    command = [sys.executable, "-m", "server", "--models", str(models), "--port", str(free_port()), "--workers", "1"]
    reached = tmp_path / "reached"
    environ = os.environ | {"PYTHONPATH": str(tmp_path), "REACHED": str(reached)}
    # In a new session, because a terminal sends the signal to the whole process group.
    with subprocess.Popen(
        [*command, *state_arguments(tmp_path)], cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            wait_until(reached.exists)
            os.killpg(process.pid, signal.SIGINT)
            _, log = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in log
    assert " ERROR " not in log
    assert log.splitlines()[-1:] == events(log, "server_stopped")
