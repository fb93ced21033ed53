"""PostgreSQL stops and starts again under load: predictions are answered throughout, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests import postgres as databases
from tests.postgres import Server as Postgres
from tests.processes import Server, get, post, serving
from tests.system.checks import assert_stored, events, metric
from tests.system.load import Load, change, create, print_figures, start_experiment
from tests.waiting import wait_until

WORKERS = 2


@pytest.mark.parametrize("seconds", [2.0, pytest.param(10.0, marks=pytest.mark.long)])
def test_an_outage_of_postgres_under_load_loses_nothing(
    models: Path, tmp_path: Path, postgres: Postgres, seconds: float
) -> None:
    with databases.database(postgres.url) as url:
        arguments = ["--models", str(models), "--state-url", url, "--workers", str(WORKERS)]
        with serving(*arguments, state=tmp_path) as server:
            start_experiment(server.url, "outage")
            create(server.url, "other")
            load = Load(server.url, clients=4, pause=0.005)
            with load.running():
                load.wait_for(100)
                with stopped(postgres) as since:
                    for path in ("experiments/other/activate", "experiments/outage/stop", "models/v2/switch"):
                        status, answer = post(f"{server.url}/reversal/{path}")
                        assert (status, answer["code"]) == (503, "STORE_UNAVAILABLE"), answer
                    status, answer = get(f"{server.url}/reversal/experiments/outage/metrics")
                    assert (status, answer["code"]) == (503, "STORE_UNAVAILABLE"), answer
                    wait_until(lambda: metric(server, "reversal_store_degraded") == 1)
                    # The waiting records are on disk.
                    assert any(file.stat().st_size for file in tmp_path.glob("journals/*/*.jsonl"))
                    time.sleep(max(0.0, since + seconds - time.monotonic()))
                    outage = len(load.since(since))
                load.wait_for(100)
                # The recovery is automatic: it needs neither a management call nor a restart.
                wait_until(lambda: bool(events(server.log, "store_recovered")))
                wait_until(lambda: metric(server, "reversal_store_degraded") == 0)
                assert change(server.url, "models/v2/switch")["previous_version"] == "v1"
            assert not load.refused
            assert not load.lost
            assert {answer.experiment for answer in load.answers} == {"outage"}
            print_figures(f"{outage} of {len(load.answers)} predictions were answered while PostgreSQL was stopped")
            log = server.stop()
            assert server.process.returncode == 0
        assert "Traceback" not in log
        assert_stored(url, "outage", load.answered_ids)


def test_a_restart_without_postgres_loses_nothing_and_uses_the_state_last_seen(
    models: Path, tmp_path: Path, postgres: Postgres
) -> None:
    with databases.database(postgres.url) as url:
        arguments = ["--models", str(models), "--state-url", url, "--workers", str(WORKERS)]
        with ExitStack() as outage:
            with serving(*arguments, state=tmp_path) as server, light_load(server).running() as before:
                change(server.url, "models/v2/switch")
                start_experiment(server.url, "start")
                since = time.monotonic()
                before.wait_for(50)
                outage.enter_context(stopped(postgres))
                before.wait_for(100)
                server.stop()
                assert server.process.returncode == 0
            with serving(*arguments, state=tmp_path) as server:
                with light_load(server).running() as after:
                    after.wait_for(100)
                    assert get(f"{server.url}/health")[1]["model_version"] == "v2"
                    assert post(f"{server.url}/reversal/models/v1/switch")[0] == 503
                    outage.close()
                    wait_until(lambda: post(f"{server.url}/reversal/models/v1/switch")[0] == 200)
                    after.wait_for(100)
                server.stop()
                assert server.process.returncode == 0
        for load in (before, after):
            assert not load.refused
            assert {answer.experiment for answer in load.since(since) if answer.status} == {"start"}
        assert not after.lost
        assert_stored(url, "start", before.answered_ids | after.answered_ids)


def light_load(server: Server) -> Load:
    return Load(server.url, clients=2, pause=0.005)


@contextmanager
def stopped(postgres: Postgres) -> Iterator[float]:
    """Stop PostgreSQL, and start it again after the block. Yields the time of the stop."""
    postgres.stop()
    try:
        yield time.monotonic()
    finally:
        if not postgres.running:
            postgres.start()
