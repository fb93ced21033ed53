"""SIGKILL at random moments under load: every answered prediction is in the store once."""

from __future__ import annotations

import os
import random
import secrets
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.processes import Server, alive, get, serving
from tests.system.checks import assert_stored
from tests.system.load import Load, print_figures, start_experiment
from tests.waiting import wait_until

WORKERS = 2
EXPERIMENT = "kill"


@pytest.mark.parametrize("rounds", [4, pytest.param(12, marks=pytest.mark.long)])
def test_after_kills_every_answered_prediction_is_stored_once(models: Path, tmp_path: Path, rounds: int) -> None:
    answered: set[str] = set()
    for number in range(rounds):
        seed = secrets.randbits(32)
        chance = random.Random(seed)  # noqa: S311 - random times, not secrets
        kill = KINDS[number % len(KINDS)]
        with serving("--models", str(models), state=tmp_path, REVERSAL_WORKERS=str(WORKERS)) as server:
            if number == 0:
                start_experiment(server.url, EXPERIMENT)
            load = Load(server.url)
            with load.running():
                time.sleep(chance.uniform(0.1, 0.8))
                kill(server, load, chance)
            log = server.log
        ids = load.answered_ids
        print_figures(f"round {number}: {kill.__name__}, seed {seed}, {len(ids)} answered, {len(load.lost)} lost")
        assert ids
        assert not load.refused
        # The experiment continues after every startup.
        assert all(answer.experiment == EXPERIMENT for answer in load.answers if answer.status)
        assert not ids & answered
        assert "Traceback" not in log
        answered |= ids
    with serving("--models", str(models), state=tmp_path) as server:
        status, answer = get(f"{server.url}/reversal/experiments/{EXPERIMENT}/metrics")
        assert status == 200
        server.stop()
        assert server.process.returncode == 0
    assert_stored(f"sqlite:///{tmp_path}/state.db", EXPERIMENT, answered)
    variants = answer["data"]["variants"].values()
    assert sum(variant["metrics"]["count"] for variant in variants) >= len(answered)
    assert not list(tmp_path.glob("journals/*/*.jsonl"))


def kill_everything(server: Server, load: Load, chance: random.Random) -> None:  # noqa: ARG001 - all kinds have the same parameters
    server.kill()


def kill_a_worker(server: Server, load: Load, chance: random.Random) -> None:
    """Kill a worker, wait for its replacement, and then kill all processes."""
    before = set(server.workers)
    killed = chance.choice(sorted(before))
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: len(server.workers) == WORKERS and killed not in server.workers)
    load.wait_for(50)
    (replacement,) = set(server.workers) - before
    time.sleep(chance.uniform(0.1, 0.5))
    assert alive(replacement)
    server.kill()


def kill_the_keeper(server: Server, load: Load, chance: random.Random) -> None:  # noqa: ARG001 - as above
    """Kill the keeper. The workers cannot continue without it and end automatically."""
    pids = server.pids
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    assert_all_end(server, pids)


def kill_the_manager(server: Server, load: Load, chance: random.Random) -> None:  # noqa: ARG001 - as above
    """Kill the manager. Without it no worker would be replaced, so all processes end, with exit code 1."""
    pids = server.pids
    os.kill(server.manager, signal.SIGKILL)
    assert server.process.wait(30) == 1
    assert_all_end(server, pids)


KINDS = (kill_everything, kill_a_worker, kill_the_keeper, kill_the_manager)


def assert_all_end(server: Server, pids: list[int]) -> None:
    """Assert that all processes of the server end and that its port is free."""
    wait_until(lambda: not any(map(alive, pids)))
    with socket.socket() as port:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port.bind(("127.0.0.1", int(server.url.rpartition(":")[2])))
        port.listen()
