"""The metric of a store that cannot be used, on a server without any request: it tells before a call fails."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from core.store.drivers.postgres import PostgresDatabase
from tests import postgres as databases
from tests.postgres import Server as Postgres
from tests.processes import Server, get, post, serving
from tests.system.checks import metric
from tests.system.disasters import locked
from tests.system.load import print_figures
from tests.waiting import wait_until

EXPERIMENTS = "/reversal/experiments"


class Idle(NamedTuple):
    """A server that gets no requests, and its store's database and role."""

    server: Server
    postgres: Postgres
    url: str
    role: str

    def sql(self, *statements: str) -> None:
        """Run statements on the database as its superuser."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    @property
    def database(self) -> str:
        return str(conninfo_to_dict(self.url)["dbname"])


@pytest.fixture(scope="module")
def idle(models: Path, postgres: Postgres) -> Iterator[Idle]:
    role = f"keeper_{secrets.token_hex(4)}"
    with ExitStack() as stack:
        # A superuser may do everything, and no limit holds for it.
        postgres.run(f"CREATE ROLE {role} LOGIN")
        stack.callback(postgres.run, f"DROP ROLE {role}")
        url = stack.enter_context(databases.database(postgres.url))
        with psycopg.connect(url) as connection:
            connection.execute(f"CREATE SCHEMA reversal AUTHORIZATION {role}".encode())
        own = url.replace("postgres@", f"{role}@")
        with serving("--models", str(models), "--state-url", own) as server:
            yield Idle(server, postgres, url, role)


@contextmanager
def read_only(idle: Idle) -> Iterator[None]:
    idle.sql(f"ALTER DATABASE {idle.database} SET default_transaction_read_only TO on")
    end_sessions(idle)
    yield
    idle.sql("SET default_transaction_read_only TO off", f"ALTER DATABASE {idle.database} RESET ALL")


@contextmanager
def no_privilege(idle: Idle) -> Iterator[None]:
    idle.sql(f"REVOKE INSERT ON reversal.experiments FROM {idle.role}")
    yield
    idle.sql(f"GRANT INSERT ON reversal.experiments TO {idle.role}")


@contextmanager
def renamed_schema(idle: Idle) -> Iterator[None]:
    idle.sql("ALTER SCHEMA reversal RENAME TO elsewhere")
    yield
    idle.sql("ALTER SCHEMA elsewhere RENAME TO reversal")


@contextmanager
def one_connection(idle: Idle) -> Iterator[None]:
    """The server allows the role only the connection that it has for the listener."""
    idle.sql(f"ALTER ROLE {idle.role} CONNECTION LIMIT 1")
    end_sessions(idle, "AND query NOT LIKE 'LISTEN%' AND query NOT LIKE 'SHOW%'")
    yield
    idle.sql(f"ALTER ROLE {idle.role} CONNECTION LIMIT -1")


@contextmanager
def locked_table(idle: Idle) -> Iterator[None]:
    """For example by VACUUM FULL or ALTER TABLE."""
    with psycopg.connect(idle.url) as other:
        other.execute("LOCK TABLE reversal.experiments IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def hung_writer(idle: Idle) -> Iterator[None]:
    """Another replica keeps the writer's lock."""
    with psycopg.connect(idle.url) as other:
        other.execute(PostgresDatabase.begin_writing.encode())
        other.execute("SET LOCAL idle_in_transaction_session_timeout TO 0")
        yield


def end_sessions(idle: Idle, which: str = "") -> None:
    idle.sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{idle.role}' {which}")  # noqa: S608


@pytest.mark.parametrize(
    "trouble",
    [
        no_privilege,
        *(
            pytest.param(trouble, marks=pytest.mark.long)
            for trouble in (read_only, one_connection, renamed_schema, locked_table, hung_writer)
        ),
    ],
)
def test_a_server_without_requests_notices_that_calls_would_fail(
    idle: Idle, trouble: Callable[[Idle], AbstractContextManager[None]]
) -> None:
    url = f"{idle.server.url}{EXPERIMENTS}"
    wait_until(lambda: metric(idle.server, "reversal_store_degraded") == 0)
    with trouble(idle):
        since = time.monotonic()
        wait_until(lambda: metric(idle.server, "reversal_store_degraded") == 1)
        noticed = time.monotonic() - since
        body = {"experiment_id": f"of-{trouble.__name__}", "name": "Test", "variant_a": "v1", "variant_b": "v2"}
        status, answer = post(url, body | {"traffic_split": 0.5})
        assert (status, answer["code"]) == (503, "STORE_UNAVAILABLE"), answer
        if trouble is no_privilege:  # calls that do not need it are still answered
            assert get(url)[0] == 200
        assert metric(idle.server, "reversal_store_degraded") == 1
        since = time.monotonic()
    wait_until(lambda: metric(idle.server, "reversal_store_degraded") == 0)
    print_figures(
        f"{trouble.__name__}: noticed after {noticed:.2f} s, the end of it after {time.monotonic() - since:.2f} s"
    )
    assert post(url, body | {"traffic_split": 0.5})[0] == 201
    assert get(url)[0] == 200


@pytest.mark.long
@pytest.mark.parametrize("trouble", ["moved", "locked"])
def test_a_state_file_in_trouble_is_noticed_without_requests(models: Path, tmp_path: Path, trouble: str) -> None:
    path = tmp_path / "state.db"
    with serving("--models", str(models), state=tmp_path) as server:
        wait_until(lambda: metric(server, "reversal_store_degraded") == 0)
        with locked(path) if trouble == "locked" else moved(path):
            wait_until(lambda: metric(server, "reversal_store_degraded") == 1)
            assert post(f"{server.url}/reversal/models/v2/switch")[0] == 503
        wait_until(lambda: metric(server, "reversal_store_degraded") == 0)
        assert post(f"{server.url}/reversal/models/v2/switch")[0] == 200


@contextmanager
def moved(path: Path) -> Iterator[None]:
    path.rename(path.with_suffix(".moved"))
    yield
    path.with_suffix(".moved").rename(path)
