"""A locked, full or unreachable store: a call raises, changes nothing, and works again after the cause is removed."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from core.errors import StoreUnavailable
from core.experiments.records import Failure
from core.serving.state import State
from core.store import open_store
from core.store.drivers import postgres, sqlite
from core.store.drivers.postgres import PostgresDatabase
from core.store.interface import UNUSABLE, Store
from tests.core.store.samples import AT, CHOSEN, SERIES, drain, experiment, exposure, outcome
from tests.postgres import Server, running_postgres
from tests.waiting import wait_until

Open = Callable[[], Store]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PATIENCE_SECONDS", 0.1)


def writes(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.drain("journal", 1, [exposure()]),
        lambda: store.record_outcomes([outcome(exposure())], AT),
        lambda: store.change(store.state().revision, State(active="v1")),
        lambda: store.create(experiment("another")),
        lambda: store.forget("journal"),
        lambda: store.choose_rule("exp", CHOSEN, replace=False),
        lambda: store.label(SERIES, CHOSEN.rule, [], AT),
    ]


class TestLockedFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "state.db"

    @pytest.fixture
    def store(self, path: Path) -> Iterator[Store]:
        with closing(open_store(f"sqlite:///{path}")) as store:
            yield store

    @pytest.fixture
    def other(self, path: Path, store: Store) -> Iterator[sqlite3.Connection]:
        assert store
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            yield other

    @pytest.mark.parametrize("which", range(7))
    def test_a_write_raises_and_works_after_the_lock_is_released(
        self, store: Store, other: sqlite3.Connection, which: int
    ) -> None:
        store.create(experiment(label_rules=(CHOSEN,)))
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match=r"state file .*state\.db: database is locked"):
            writes(store)[which]()
        other.execute("ROLLBACK")
        writes(store)[which]()

    def test_reading_still_works(self, store: Store, other: sqlite3.Connection) -> None:
        drain(store, [exposure()])
        other.execute("BEGIN EXCLUSIVE")
        assert len(list(store.export("exp"))) == 1
        assert store.state().revision == 0

    def test_opening_does_not_rename_it(self, path: Path, other: sqlite3.Connection) -> None:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match="locked"):
            open_store(f"sqlite:///{path}")
        other.execute("ROLLBACK")
        assert not list(path.parent.glob("*unreadable*"))
        open_store(f"sqlite:///{path}").close()


class TestFullDisk:
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with closing(open_store(f"sqlite:///{tmp_path}/state.db")) as store:
            yield store

    def test_a_write_that_does_not_fit_changes_nothing_and_works_later(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drain(store, [exposure(n) for n in range(100)])
        before = store.tally("exp"), list(store.export("exp"))
        batch = [exposure(n) for n in range(5000)]
        connect = sqlite.SqliteDatabase.connect
        limit = ["PRAGMA max_page_count = 1"]

        def limited(self: sqlite.SqliteDatabase) -> sqlite.SqliteConnection:
            connection = connect(self)
            connection.rows(limit[0])
            return connection

        monkeypatch.setattr(sqlite.SqliteDatabase, "connect", limited)
        getattr(store, "_database")._idle.pop().close()  # noqa: SLF001, B009 - the next connection has the limit
        with pytest.raises(StoreUnavailable, match="database or disk is full"):
            store.drain("journal", 9, batch)
        assert (store.tally("exp"), list(store.export("exp"))) == before
        assert store.drained("journal") == 0
        for connection in getattr(store, "_database")._idle:  # noqa: SLF001, B009 - there is room again
            connection.rows("PRAGMA max_page_count = 1000000")
        limit[0] = "PRAGMA max_page_count = 1000000"
        store.drain("journal", 9, batch)
        assert store.tally("exp")["A"].predictions == 5100


class TestMovedOrTruncatedFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "state.db"

    @pytest.fixture
    def store(self, path: Path) -> Iterator[Store]:
        """A store with most of its data in the file, and the rest in the write-ahead log."""
        with closing(open_store(f"sqlite:///{path}")) as store:
            for number in range(20):
                drain(store, [exposure(number * 500 + n) for n in range(500)])
            yield store

    def test_a_moved_file_is_an_error_until_it_is_back(self, store: Store, path: Path) -> None:
        moved = path.rename(path.with_suffix(".moved"))
        for call in (store.state, *writes(store)):
            with pytest.raises(StoreUnavailable, match=r"state file .*state\.db: .*No such file"):
                call()
        assert not path.exists()
        shutil.copy(moved, path)
        for call in (store.state, *writes(store)):
            with pytest.raises(StoreUnavailable, match=r"state file .*state\.db: .*replaced"):
                call()
        moved.replace(path)
        drain(store, [exposure(10_000)])
        assert len(list(store.export("exp"))) == 10_001

    def test_a_truncated_file_is_an_error(self, store: Store, path: Path) -> None:
        half = path.stat().st_size // 2
        os.truncate(path, half)
        for call in (store.state, *writes(store)):
            with pytest.raises(StoreUnavailable, match=rf"state file .*state\.db: .*truncated.* {half} bytes"):
                call()

    def test_maintenance_by_other_processes_is_no_error(self, store: Store, path: Path, tmp_path: Path) -> None:
        before = path.stat().st_size
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            for command in (
                f"VACUUM INTO '{tmp_path}/backup.db'",
                "PRAGMA wal_checkpoint(TRUNCATE)",
                "DELETE FROM exposures",
                "VACUUM",
                "PRAGMA wal_checkpoint(PASSIVE)",
                "PRAGMA wal_checkpoint(TRUNCATE)",
            ):
                other.execute(command)
                drain(store, [exposure(10_000 + n) for n in range(100)])
                store.state()
            other.execute("VACUUM")
        assert path.stat().st_size < before
        drain(store, [exposure(20_000)])


def test_a_wrong_statement_is_not_reported_as_an_unavailable_store(store: Store) -> None:
    with (
        pytest.raises((sqlite3.OperationalError, psycopg.errors.UndefinedTable), match="nowhere"),
        getattr(store, "_database").reading() as connection,  # noqa: B009 - not a part of the interface
    ):
        connection.rows("SELECT * FROM nowhere")
    assert store.state().revision == 0


def test_a_closed_store_raises(store: Store) -> None:
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.state()
    store.close()


def test_waiting_ends_when_the_time_is_over_or_the_store_is_closed(store: Store) -> None:
    store.wait_for_change(0)
    while store.wait_for_change(0.05):
        pass
    ended = threading.Event()

    def wait() -> None:
        store.wait_for_change(60)
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not ended.wait(0.2)
    store.close()
    assert ended.wait(10)
    thread.join()


class TestPostgres:
    @pytest.fixture
    def replica(self, postgres_url: str) -> Iterator[Open]:
        with ExitStack() as stack:
            yield lambda: stack.enter_context(closing(open_store(postgres_url)))

    def test_a_change_wakes_the_other_replicas(self, replica: Open) -> None:
        here, there = replica(), replica()
        assert here.wait_for_change(5)  # true, because it only starts to listen
        assert not here.wait_for_change(0.1)
        there.change(0, State(active="v2"))
        assert here.wait_for_change(30)
        assert here.state().active == "v2"
        assert not here.wait_for_change(0.1)

        woken: list[bool] = []
        thread = threading.Thread(target=lambda: woken.append(here.wait_for_change(30)))
        thread.start()
        there.change(1, State(active="v1"))
        thread.join()
        assert woken == [True]

    def test_a_failed_change_wakes_no_replica(self, replica: Open) -> None:
        here, there = replica(), replica()
        assert here.wait_for_change(5)
        with pytest.raises(Exception, match="revision 7"):
            there.change(7, State(active="v2"))
        drain(there, [exposure()])
        assert not here.wait_for_change(0.3)

    def test_another_writer_that_keeps_the_lock_is_an_error(
        self, replica: Open, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = replica()
        begin = postgres.PostgresDatabase.begin_writing
        monkeypatch.setattr(postgres.PostgresDatabase, "begin_writing", begin.replace("'5.0s'", "'100ms'"))
        with psycopg.connect(postgres_url) as other:
            other.execute(begin.encode())
            with pytest.raises(StoreUnavailable, match="lock timeout"):
                drain(store, [exposure()])

    def test_connections_to_a_server_that_became_read_only_are_replaced(self, replica: Open, postgres_url: str) -> None:
        store = replica()
        database: PostgresDatabase = getattr(store, "_database")  # noqa: B009 - not a part of the interface
        with database.reading() as in_use:
            assert in_use.rows("SELECT COUNT(*) FROM exposures") == [(0,)]
            with database.reading() as first, database.reading() as second:
                pass
            first.run("SET default_transaction_read_only TO on")  # as the server's setting after a reload
            first.run("SET application_name TO 'old'")
            second.run("SET application_name TO 'old'")
            drain(store, [exposure()])  # not one failed call
            assert first.broken
            assert second.broken
            assert in_use.rows("SELECT COUNT(*) FROM exposures") == [(0,)]  # it goes on
        assert in_use.broken
        drain(store, [exposure()])
        with psycopg.connect(postgres_url) as other:
            names = b"SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
            assert other.execute(names, [other.info.backend_pid]).fetchall() == [("reversal",)]

    def test_a_writer_that_waited_sees_what_the_other_one_committed(self, replica: Open, postgres_url: str) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            name = admin.info.dbname
            admin.execute(f"ALTER DATABASE {name} SET default_transaction_isolation TO serializable".encode())
        here, there = replica(), replica()
        drain(here, [exposure()])
        drain(there, [exposure()])
        with getattr(here, "_database").writing() as connection:  # noqa: B009 - not a part of the interface
            thread = threading.Thread(target=drain, args=(there, [exposure()]))
            thread.start()
            with psycopg.connect(postgres_url, autocommit=True) as other:
                waiting = b"SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory'"
                wait_until(lambda: bool(other.execute(waiting).fetchall()))
            connection.run("UPDATE candles SET a_holds = a_holds + 7")
        thread.join()
        assert there.tally("exp")["A"].predictions == 3
        assert there.tally("exp")["A"].signals["hold"] == 7

    def test_a_role_without_the_privilege_to_create_the_schema_is_an_error(self, postgres_url: str) -> None:
        role = f"guest_{secrets.token_hex(4)}"
        with psycopg.connect(postgres_url, autocommit=True) as server:
            server.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'".encode())
            try:
                as_guest = make_conninfo(postgres_url, user=role, password=role)
                given = conninfo_to_dict(as_guest)
                url = f"postgresql:///?{urlencode(given)}"
                with pytest.raises(StoreUnavailable, match=r"permission denied for database \w+$"):
                    open_store(url)
            finally:
                server.execute(f"DROP ROLE {role}".encode())

    def test_an_option_that_the_driver_refuses_is_an_error(self, postgres_url: str) -> None:
        with pytest.raises(StoreUnavailable, match="PostgreSQL database"):
            open_store(f"{postgres_url}?connect_timeout=soon")

    def test_a_write_to_a_read_only_server_is_an_error(self, replica: Open, postgres_url: str) -> None:
        store = replica()
        with psycopg.connect(postgres_url, autocommit=True) as other:
            name = other.info.dbname
            other.execute(f"ALTER DATABASE {name} SET default_transaction_read_only TO on".encode())
            getattr(store, "_database")._idle.pop().close()  # noqa: SLF001, B009 - the setting is for new connections
            for call in (lambda: drain(store, [exposure()]), store.state):
                with pytest.raises(StoreUnavailable, match="read-only"):
                    call()
            other.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
            drain(store, [exposure()])

    def test_a_connection_that_the_server_closed_is_replaced(self, replica: Open, postgres_url: str) -> None:
        store = replica()
        drain(store, [exposure()])
        assert store.wait_for_change(5)
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )
        drain(store, [exposure()])
        assert store.tally("exp")["A"].predictions == 2
        store.wait_for_change(0.01)
        assert store.wait_for_change(5)  # true, because it listens again and could have missed a change
        assert not store.wait_for_change(0.01)


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    with running_postgres() as server:
        yield server


@pytest.mark.serial
def test_a_stopped_server_is_an_error_until_it_runs_again(own_server: Server) -> None:
    password = "s3cret-word"  # noqa: S105 - not a real one
    url = own_server.url.replace("postgres@", f"postgres:{password}@")
    with closing(open_store(url)) as store:
        store.drain("journal", 10, [exposure()])
        assert store.wait_for_change(5)
        own_server.stop()
        reads: list[Callable[[], object]] = [store.state, lambda: list(store.export("exp")), lambda: open_store(url)]
        calls = writes(store) + reads
        for call in calls:
            with pytest.raises(StoreUnavailable, match=r"PostgreSQL database 127\.0\.0\.1:\d+/postgres: ") as raised:
                call()
            assert raised.value.message == UNUSABLE
            assert password not in str(raised.value)
            assert "\n" not in str(raised.value)
        began = time.monotonic()
        assert not store.wait_for_change(0.3)
        assert time.monotonic() - began > 0.25  # it sleeps instead of retrying in a loop
        own_server.start()
        assert store.drained("journal") == 10
        store.drain("journal", 20, [exposure()])
        assert store.tally("exp")["A"].predictions == 2
        assert store.wait_for_change(5)


@pytest.mark.serial
def test_a_drain_during_a_crash_of_the_server_is_stored_completely_or_not_at_all(own_server: Server) -> None:
    batches = [[exposure(n, experiment_id="crashed") for _ in range(20)] for n in range(400)]
    drained, back = threading.Event(), threading.Event()
    interruptions: list[StoreUnavailable] = []

    def feed(store: Store) -> None:
        position: int | None = None
        while position != len(batches):
            try:
                if position is None:
                    position = store.drained("fed")
                store.drain("fed", position + 1, [*batches[position], Failure(AT, "crashed", "A")])
                position += 1
                drained.set()
            except StoreUnavailable as error:
                interruptions.append(error)
                position = None
                back.wait(60)

    with closing(open_store(own_server.url)) as store:
        thread = threading.Thread(target=feed, args=(store,))
        thread.start()
        for _ in range(3):
            assert drained.wait(60)
            back.clear()
            own_server.stop(signal.SIGQUIT)
            own_server.start()
            back.set()
            drained.clear()
            if not thread.is_alive():
                break
        thread.join()
        assert interruptions
        assert store.drained("fed") == len(batches)
        found = store.tally("crashed")["A"]
        assert (found.predictions, found.failures) == (20 * len(batches), len(batches))
        assert len(list(store.export("crashed"))) == 20 * len(batches)
