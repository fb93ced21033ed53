"""Behind PgBouncer: the store works, and no other application's session is changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any
from unittest import mock

import psycopg
import pytest

from core.errors import StoreUnavailable
from core.serving.state import State
from core.store import open_store
from core.store.drivers import postgres_listener
from core.store.drivers.postgres import PostgresDatabase
from core.store.interface import Store, StoreUnsuitable
from tests.core.store.samples import AT, CHOSEN, drain, experiment, exposure, outcome, score
from tests.pgbouncer import Pooler, running_pooler

# All that a session can keep for its next user. The pooler itself sets application_name for each client.
SESSION = """
    SELECT 'setting', name, setting FROM pg_settings WHERE name NOT IN ('application_name', 'transaction_isolation')
    UNION ALL SELECT 'prepared', name, statement FROM pg_prepared_statements
    UNION ALL SELECT 'cursor', name, statement FROM pg_cursors WHERE name <> ''
    UNION ALL SELECT 'listens', channel, '' FROM pg_listening_channels() AS channel
    UNION ALL SELECT 'locks', mode, objid::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
    UNION ALL SELECT 'process', pg_backend_pid()::text, ''
    UNION ALL SELECT 'temporary', relname, '' FROM pg_class WHERE relpersistence = 't'
    ORDER BY 1, 2, 3"""


@pytest.fixture(scope="module")
def pooler(server: str) -> Iterator[Pooler]:
    """A pooler in transaction mode, with one session for each database."""
    with running_pooler(server) as pooler:
        yield pooler


@pytest.fixture
def pooled_url(pooler: Pooler, postgres_url: str) -> str:
    return pooler.url(postgres_url)


@pytest.fixture
def application(pooled_url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Another application, which uses the same session."""
    with psycopg.connect(pooled_url, autocommit=True, prepare_threshold=None) as application:
        yield application


def session(application: psycopg.Connection[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return application.execute(SESSION).fetchall()


def use(store: Store) -> None:
    """Call what a keeper calls, often enough that statements would be prepared."""
    start = store.state().revision
    store.create(experiment())
    for number in range(8):
        drain(store, [exposure(number * 100 + n) for n in range(50)] + [score(number)])
        assert store.state().revision == start
    reported = exposure(5000)
    drain(store, [reported])
    assert store.record_outcomes([outcome(reported)], AT) == ["recorded"]
    store.choose_rule("exp", CHOSEN, replace=False)
    store.wait_for_change(0.05)
    assert store.change(start, State(active="v2")).revision == start + 1
    assert store.wait_for_change(0.05)
    store.try_writing()
    assert store.tally("exp")["A"].predictions == 401
    assert len(store.candles("exp").time) == 401
    assert len(list(store.export("exp"))) == 401


def test_a_session_that_is_shared_is_unchanged(
    pooled_url: str, application: psycopg.Connection[tuple[Any, ...]]
) -> None:
    before = session(application)
    with closing(open_store(pooled_url)) as store:
        assert session(application) == before
        use(store)
        assert session(application) == before
    application.execute("CREATE TABLE theirs (id INTEGER)")
    assert application.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'theirs'").fetchall() == [
        ("public",)
    ]
    assert session(application) == before


def test_what_the_other_application_leaves_in_the_session_does_not_matter(
    pooled_url: str, application: psycopg.Connection[tuple[Any, ...]]
) -> None:
    application.execute("CREATE TEMPORARY TABLE state (revision BIGINT)")
    application.execute("CREATE TEMPORARY TABLE experiments (experiment_id TEXT)")
    application.execute("CREATE TABLE public.meta (theirs TEXT)")
    for setting in ("search_path TO public", "default_transaction_isolation TO serializable", "lock_timeout TO '1ms'"):
        application.execute(f"SET {setting}".encode())
    before = session(application)
    with closing(open_store(pooled_url)) as store:
        use(store)
    assert session(application) == before
    for table in ("pg_temp.state", "pg_temp.experiments", "public.meta"):
        assert application.execute(f"TABLE {table}".encode()).fetchall() == []


def test_changes_of_other_replicas_are_found_by_polling(pooled_url: str) -> None:
    with closing(open_store(pooled_url)) as here, closing(open_store(pooled_url)) as there:
        there.change(0, State(active="v2"))
        since = time.monotonic()
        assert here.wait_for_change(30)
        assert time.monotonic() - since >= postgres_listener.POLL_SECONDS * 0.9  # it does not ask without a pause
        assert here.state().active == "v2"


def test_a_pooler_that_hides_itself_is_found_by_its_errors(pooled_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two replicas prepare statements of the same name in one session."""

    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", mock.ANY)
    with ExitStack() as stack:
        stores = [stack.enter_context(closing(open_store(pooled_url))) for _ in range(2)]
        failed = 0
        for number in range(20):
            for store in stores:
                try:
                    drain(store, [exposure(number)])
                except StoreUnavailable:
                    failed += 1
        assert 1 <= failed <= len(stores)
        for store in stores:
            assert store.tally("exp")["A"].predictions == 40 - failed


def test_session_mode_works_with_more_than_one_session(server: str, postgres_url: str) -> None:
    with running_pooler(server, "session", size=3) as pooler, closing(open_store(pooler.url(postgres_url))) as store:
        use(store)


def test_statement_mode_is_refused_with_the_setting_to_change(server: str, postgres_url: str) -> None:
    with (
        running_pooler(server, "statement") as pooler,
        pytest.raises(StoreUnsuitable, match="pool_mode = transaction") as refused,
    ):
        open_store(pooler.url(postgres_url))
    assert "\n" not in str(refused.value)


def test_connections_that_the_pooler_or_the_server_closed_are_replaced(
    pooler: Pooler, pooled_url: str, postgres_url: str
) -> None:
    with closing(open_store(pooled_url)) as store:
        drain(store, [exposure()])
        pooler.stop()
        with pytest.raises(StoreUnavailable):
            store.state()
        pooler.start()
        drain(store, [exposure()])
        with psycopg.connect(postgres_url, autocommit=True) as direct:
            direct.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )
        drain(store, [exposure()])
        assert store.tally("exp")["A"].predictions == 3


@contextmanager
def killing(postgres_url: str) -> Iterator[Callable[[], None]]:
    """Yields a function that ends all sessions of a database, and returns when the pooler has ended their clients'."""
    with psycopg.connect(postgres_url, autocommit=True) as direct:

        def kill() -> None:
            others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ended = direct.execute(f"SELECT pg_terminate_backend(pid, 5000) {others}".encode()).fetchall()
            assert ended == [(True,)]

        yield kill


def test_a_session_that_is_killed_in_a_copy_is_no_bug(pooled_url: str, postgres_url: str) -> None:
    with closing(PostgresDatabase(pooled_url)) as database, killing(postgres_url) as kill:

        def rows() -> Iterator[tuple[int]]:
            yield (1,)
            kill()

        with database.writing() as connection:
            connection.run("CREATE TABLE public.numbers (number INTEGER)")
        lost = "connection was lost|connection unexpectedly|terminating connection|server conn crashed"
        for _ in range(10):
            with pytest.raises(StoreUnavailable, match=lost), database.writing() as connection:
                connection.insert("public.numbers", ["number"], rows())
        with database.reading() as connection:
            assert connection.rows("SELECT * FROM public.numbers") == []


def test_errors_that_follow_the_loss_of_a_connection_are_not_logged(
    pooled_url: str, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(PostgresDatabase(pooled_url)) as database, killing(postgres_url) as kill:

        def rows() -> Iterator[tuple[int]]:
            yield (1,)
            kill()
            raise LookupError

        with database.writing() as connection:
            connection.run("CREATE TABLE public.numbers (number INTEGER)")
        with pytest.raises(LookupError), database.writing() as connection:
            connection.insert("public.numbers", ["number"], rows())
    assert not [record for record in caplog.records if record.name.startswith("psycopg")]


def test_a_session_that_is_killed_while_rows_are_read_is_no_bug(pooled_url: str, postgres_url: str) -> None:
    with closing(PostgresDatabase(pooled_url)) as database, killing(postgres_url) as kill:

        def read() -> None:
            with database.reading() as connection:
                for _ in connection.pages("SELECT generate_series(1, ?)", [1000], 10):
                    kill()

        for _ in range(10):
            with pytest.raises(StoreUnavailable):
                read()


def test_a_bug_is_no_loss_of_the_connection(pooled_url: str) -> None:
    def write() -> None:
        with database.writing() as connection:
            connection.run("CREATE TABLE public.words (word TEXT)")
            connection.insert("public.words", ["word"], [["\ud800"]])

    with closing(PostgresDatabase(pooled_url)) as database, pytest.raises(UnicodeEncodeError):
        write()
