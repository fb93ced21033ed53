from __future__ import annotations

import os
import sys
import time
from contextlib import closing

import pytest

from benchmarks import bodies, servers
from benchmarks.load import Connection, LoadError, message
from tests.processes import alive

pytestmark = pytest.mark.serial  # starts servers


def test_a_server_that_ends_before_it_is_ready_is_an_error() -> None:
    with (
        pytest.raises(LoadError, match=r"port \d+ ended"),
        servers.started([sys.executable, "-c", ""], servers.free_port()),
    ):
        pass


def test_the_seconds_of_a_process_are_those_that_the_process_counts() -> None:
    before = time.process_time()
    found = servers.cpu_seconds(os.getpid())
    assert before <= found <= time.process_time()


def test_the_echo_server_answers_any_body_and_ends_with_the_block() -> None:
    with servers.echo() as running:
        with closing(Connection(running.port)) as connection:
            assert connection.ask(message(bodies.PREDICT, b"x" * 10_000)).endswith(b"x" * 330)
        assert len(running.rss_mib) == len(running.pids) == 1
        assert running.cpu_seconds > 0
        assert running.ready_seconds > 0
    assert not alive(running.process.pid)


def test_during_an_experiment_every_user_gets_variant_a_and_afterwards_no_user_is_assigned() -> None:
    with servers.server() as running, closing(Connection(running.port)) as connection:
        asked = bodies.messages("120 candles", users=True)[:8]
        with servers.experiment(running.port):
            answers = [connection.ask(one) for one in asked]
        after = connection.ask(asked[0])
        pids = running.pids
    assert all(b'"model_version":"v3.0"' in answer for answer in answers)
    assert all(b'"experiment":{"experiment_id":"speed","variant":"A"}' in answer for answer in answers)
    assert b'"experiment"' not in after
    assert not any(alive(pid) for pid in pids)
