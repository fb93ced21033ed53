"""Processes that cannot be started: a limit of processes is reached, or a worker ends before it serves."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from tests.namespaces import USER, limit, limited
from tests.processes import Server, children, get, post, serving, starting
from tests.system.checks import events
from tests.system.load import Load, question
from tests.waiting import wait_until

ENOUGH = 1000


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder for the other user."""
    os.chown(tmp_path, USER, USER)
    return tmp_path


def predicts(server: Server) -> bool:
    return post(f"{server.url}/reversal/predict", question(0, 0))[0] == 200


def test_after_a_failed_fork_the_other_workers_serve_and_it_is_tried_again(models: Path, state: Path) -> None:
    with serving("--models", str(models), state=state, within=limited(ENOUGH), REVERSAL_WORKERS="3") as server:
        wait_until(lambda: len(events(server.log, "worker_ready")) == 3)
        before, manager = set(server.workers), server.manager
        load = Load(server.url, clients=2, pause=0.01)
        with load.running():
            load.wait_for(20)
            limit(manager, 1)
            killed = server.workers[0]
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: len(events(server.log, "worker_fork_failed")) >= 1)
            server.process.send_signal(signal.SIGHUP)  # it cannot replace any worker yet
            wait_until(lambda: len(events(server.log, "worker_fork_failed")) >= 2)
            assert set(server.workers) == before - {killed}
            load.wait_for(50)
            limit(manager, ENOUGH)
            wait_until(lambda: len(server.workers) == 3 and not before & set(server.workers))
            load.wait_for(50)
        assert server.manager == manager
        assert not load.refused
        assert len(load.lost) <= load.clients  # those of the killed worker
        log = server.stop()
        assert server.process.returncode == 0
    assert "Traceback" not in log
    assert " workers=2 " in events(log, "worker_fork_failed")[0]


def test_a_first_fork_that_fails_is_tried_again(models: Path, state: Path) -> None:
    with starting("--models", str(models), state=state, within=limited(1)) as server:
        wait_until(lambda: len(events(server.log, "manager_fork_failed")) >= 1)
        assert server.process.poll() is None
        limit(server.process.pid, ENOUGH)
        wait_until(lambda: bool(events(server.log, "worker_ready")))
        assert predicts(server)
        server.stop()
        assert server.process.returncode == 0


def test_a_server_whose_first_fork_fails_can_be_stopped(models: Path, state: Path) -> None:
    with starting("--models", str(models), state=state, within=limited(1)) as server:
        wait_until(lambda: bool(events(server.log, "manager_fork_failed")))
        server.stop()
        assert server.process.returncode == 0


def test_a_worker_that_fails_at_start_is_tried_again_while_another_one_serves(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_WORKERS="2") as server:
        wait_until(lambda: len(events(server.log, "worker_ready")) == 2)
        manager = server.manager
        used = len(list(Path(f"/proc/{manager}/fd").iterdir()))
        before = resource.prlimit(manager, resource.RLIMIT_NOFILE)
        resource.prlimit(manager, resource.RLIMIT_NOFILE, (used + 8, before[1]))  # too few for a worker
        survivor, killed = server.workers
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: len(events(server.log, "worker_start_failed")) >= 1)
        server.process.send_signal(signal.SIGHUP)  # the new workers fail, so the old one must stay
        wait_until(lambda: len(events(server.log, "worker_start_failed")) >= 2)
        assert survivor in server.workers
        assert predicts(server)
        resource.prlimit(manager, resource.RLIMIT_NOFILE, before)
        wait_until(lambda: survivor not in server.workers and len(server.workers) == 2)
        assert get(f"{server.url}/readyz")[0] == 200
        assert children(server.process.pid) == [manager]
        server.stop()
        assert server.process.returncode == 0
