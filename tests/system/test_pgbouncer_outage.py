"""A server whose store is behind PgBouncer in transaction mode, with one session that another application uses too."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests import postgres as databases
from tests.pgbouncer import running_pooler
from tests.postgres import Server as Postgres
from tests.processes import serving, starting
from tests.system.checks import assert_stored, events, metric
from tests.system.load import Load, change, print_figures, start_experiment
from tests.system.management import CREATED, Call, managed
from tests.waiting import wait_until


@contextmanager
def neighbour(url: str) -> Iterator[list[str]]:
    """Another application in the same session. Yields the search paths and lock timeouts that it sees."""
    seen: list[str] = []
    ending = threading.Event()

    def look() -> None:
        while not ending.wait(0.005):
            try:
                with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
                    while not ending.wait(0.005):
                        settings = "current_setting('search_path'), current_setting('lock_timeout')"
                        seen.extend(map(str, connection.execute(f"SELECT {settings}".encode()).fetchall()))
            except psycopg.OperationalError:
                continue

    thread = threading.Thread(target=look, name="neighbour")
    thread.start()
    try:
        yield seen
    finally:
        ending.set()
        thread.join()


def kill_sessions(postgres: Postgres, database_url: str) -> int:
    """End all sessions of a database; returns their number."""
    name = conninfo_to_dict(database_url)["dbname"]
    return len(postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))  # noqa: S608


def test_a_restart_of_the_pooler_and_a_kill_of_its_sessions_under_load_lose_nothing(
    models: Path, tmp_path: Path, postgres: Postgres
) -> None:
    with databases.database(postgres.url) as direct, running_pooler(postgres.url) as pooler:
        url = pooler.url(direct)
        arguments = ["--models", str(models), "--state-url", url, "--workers", "2"]
        with serving(*arguments, state=tmp_path) as server:
            start_experiment(server.url, "pooled")
            load = Load(server.url, clients=2, pause=0.01)
            with load.running(), managed(server) as calls, neighbour(url) as seen:
                load.wait_for(50)
                kills = 0
                for _ in range(4):
                    kills += kill_sessions(postgres, direct)
                    since = time.monotonic()
                    wait_until(lambda: well(calls, since))  # noqa: B023 - called in this turn
                assert kills
                killed = [call for call in calls if call.failed]
                pooler.stop()
                stopped = time.monotonic()
                wait_until(lambda: any(call.failed for call in calls if call.sent > stopped))
                wait_until(lambda: metric(server, "reversal_store_degraded") == 1)
                pooler.start()
                restarted = time.monotonic()
                wait_until(lambda: well(calls, restarted))
                wait_until(lambda: metric(server, "reversal_store_degraded") == 0)
                change(server.url, "models/v2/switch")
                load.wait_for(50)
            assert not load.refused
            assert not load.lost
            assert set(seen) == {"('\"$user\", public', '0')"}
            refused = [call for call in calls if call.failed and call.sent > stopped]
            seconds = max(max(call.ended for call in refused) - restarted, 0.0)
            print_figures(
                f"{len(load.answers)} predictions, all answered; of {len(calls)} management calls {len(killed)} failed "
                f"at {kills} kills of the session and {len(refused)} while the pooler was stopped for "
                f"{restarted - stopped:.1f} s, the last one {seconds:.2f} s after it was back; "
                f"{len(seen)} looks of the other application"
            )
            log = server.stop()
            assert server.process.returncode == 0
        assert "Traceback" not in log
        assert events(log, "store_pooled")
        assert_stored(direct, "pooled", load.answered_ids)


def well(calls: list[Call], since: float) -> bool:
    """Whether a change and a read have succeeded after a moment."""
    later = {call.status for call in calls if call.sent > since}
    return later >= {CREATED, 200}


def test_a_pooler_in_statement_mode_ends_the_start_with_one_line(
    models: Path, tmp_path: Path, postgres: Postgres
) -> None:
    with databases.database(postgres.url) as direct, running_pooler(postgres.url, "statement") as pooler:
        arguments = ["--models", str(models), "--state-url", pooler.url(direct), "--log-level", "critical"]
        with starting(*arguments, state=tmp_path) as server:
            assert server.process.wait(30) == 1
            assert server.log.count("\n") == 1
            assert "pool_mode = transaction" in server.log
