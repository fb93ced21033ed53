"""A failover from one PostgreSQL to another under load, with both addresses in the URL of the store."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from psycopg.conninfo import conninfo_to_dict

from core.serving.state import State
from core.store.opening import open_store
from tests.postgres import Server as Postgres
from tests.postgres import running_postgres
from tests.processes import get, serving
from tests.system.checks import assert_stored, metric
from tests.system.load import Load, print_figures, start_experiment
from tests.system.management import CREATED, managed
from tests.waiting import wait_until


class Pair(NamedTuple):
    """A primary with a standby, and the URL that names both."""

    primary: Postgres
    standby: Postgres

    @property
    def url(self) -> str:
        places = (conninfo_to_dict(server.url) for server in self)
        return "postgresql://postgres@{}/postgres".format(
            ",".join(f"{place['host']}:{place['port']}" for place in places)
        )


@pytest.fixture
def pair() -> Iterator[Pair]:
    with running_postgres() as primary, running_postgres(primary) as standby:
        wait_until(lambda: primary.run("SELECT state FROM pg_stat_replication") == [("streaming",)])
        yield Pair(primary, standby)


def demote(primary: Postgres) -> None:
    """A planned switch-over: the old primary stays up, and its connections stay open."""
    primary.run("ALTER SYSTEM SET default_transaction_read_only TO on")
    primary.run("SELECT pg_reload_conf()")


def stop(primary: Postgres) -> None:
    primary.stop()


def crash(primary: Postgres) -> None:
    primary.stop(signal.SIGQUIT)


def freeze(primary: Postgres) -> None:
    """It keeps its connections and accepts new ones, but answers nothing."""
    primary.freeze()


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(freeze, marks=pytest.mark.long),
        demote,
        pytest.param(stop, marks=pytest.mark.long),
        pytest.param(crash, marks=pytest.mark.long),
    ],
)
def test_a_failover_under_load_reaches_the_new_primary(
    models: Path, tmp_path: Path, pair: Pair, end: Callable[[Postgres], None]
) -> None:
    arguments = ["--models", str(models), "--state-url", pair.url, "--workers", "2"]
    with serving(*arguments, state=tmp_path) as server:
        start_experiment(server.url, "failover")
        load = Load(server.url, clients=2, pause=0.01)
        with load.running(), managed(server) as calls:
            load.wait_for(50)
            since = time.monotonic()
            end(pair.primary)
            wait_until(lambda: any(call.failed for call in calls))
            wait_until(lambda: metric(server, "reversal_store_degraded") == 1)
            pair.standby.promote()
            promoted = time.monotonic()
            if end is stop:  # and is back as a standby, to which connections are possible
                pair.primary.follow(pair.standby)
            wait_until(lambda: any(call.status == CREATED for call in calls if call.sent > promoted))
            # A change by another replica, which only the new primary notifies.
            switch_as_replica(pair.standby.url)
            wait_until(lambda: get(f"{server.url}/health")[1]["model_version"] == "v2")
            heard = time.monotonic() - promoted
            wait_until(lambda: metric(server, "reversal_store_degraded") == 0)
            if end is freeze:
                pair.primary.stop(signal.SIGQUIT)
            wait_until(lambda: not pair.primary.running or not connections(pair.primary))
            moved = time.monotonic() - promoted
            load.wait_for(50)
        assert not load.refused
        assert not load.lost
        failed = [call for call in calls if call.failed]
        well = max(max(call.ended for call in failed) - promoted, 0.0)
        print_figures(
            f"{end.__name__}: {len(load.since(since))} predictions from then on, all answered; "
            f"{len(failed)} of {len(calls)} management calls failed, the last one {well:.2f} s after the promotion; "
            f"a notification by the new primary within {heard:.2f} s, the old one without connections "
            f"within {moved:.2f} s of the promotion"
        )
        log = server.stop()
        assert server.process.returncode == 0
    assert "Traceback" not in log
    assert_stored(pair.standby.url, "failover", load.answered_ids)


def connections(postgres: Postgres) -> list[tuple[object, ...]]:
    """The connections of servers to a database."""
    return postgres.run("SELECT pid, query FROM pg_stat_activity WHERE application_name = 'reversal'")


def switch_as_replica(url: str) -> None:
    """Switch to v2 as another replica does."""
    store = open_store(url)
    try:
        state = store.state()
        store.change(state.revision, State(active="v2", experiment=state.experiment))
    finally:
        store.close()
