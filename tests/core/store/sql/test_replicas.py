from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from core.serving.replicas import Replica, ReplicaVersion
from core.store import open_store
from core.store.interface import CONNECTED_SECONDS, Store
from core.store.relational import RelationalStore
from core.store.sql import schema
from core.store.sql.replicas import FORGET_SECONDS
from tests.core.store.samples import drain, experiment, exposure, query

Open = Callable[[], Store]


def made(replica_id: str = "1", name: str = "one", **versions: ReplicaVersion) -> Replica:
    return Replica(replica_id, name, 3, "v1", versions)


def age(url: str, seconds: float, replica_id: str = "1") -> None:
    """Make a row older, as the database's clock does."""
    query(url, f"UPDATE replicas SET seen_at = seen_at - {round(seconds * 1e6)} WHERE replica_id = '{replica_id}'")  # noqa: S608 - the test's own values


def test_replicas_that_report_see_each_other_by_name(replica: Open) -> None:
    stores = [replica(), replica()]
    first = made(
        "1", "b", v1=ReplicaVersion("d1", loaded=True), v2=ReplicaVersion(None, loaded=False, error="'broken' ?")
    )
    second = made("2", "a")
    assert stores[0].report(first) == [first]
    assert stores[1].report(second) == [second, first]
    renewed = made("1", "b", v1=ReplicaVersion("d2", loaded=True))
    assert stores[0].report(renewed) == [second, renewed]
    assert stores[1].replicas() == [second, renewed]
    stores[1].leave("2")
    assert stores[0].replicas() == [renewed]


def test_a_replica_that_has_not_reported_for_long_is_not_connected(url: str, replica: Open) -> None:
    store = replica()
    store.report(made())
    age(url, CONNECTED_SECONDS - 5)
    assert store.replicas() == [made()]
    age(url, 5)
    assert store.replicas() == []
    assert store.report(made()) == [made()]


def test_a_row_of_the_future_is_not_connected(url: str, replica: Open) -> None:
    """A failover can lead to a server whose clock is behind."""
    store = replica()
    store.report(made())
    age(url, -CONNECTED_SECONDS - 5)
    assert store.replicas() == []


def test_old_rows_are_removed_when_another_replica_has_started(url: str, replica: Open) -> None:
    store = replica()
    for each in ("1", "2"):
        store.report(made(each))
    age(url, FORGET_SECONDS + 5)
    age(url, FORGET_SECONDS - 5, "2")
    replica().report(made("3"))
    assert sorted(query(url, "SELECT replica_id FROM replicas")) == [("2",), ("3",)]


def test_a_row_that_this_release_cannot_read_is_skipped(url: str, replica: Open) -> None:
    store = replica()
    for each in ("1", "2"):
        store.report(made(each))
    query(url, "UPDATE replicas SET body = '[]' WHERE replica_id = '1'")
    assert store.replicas() == [made("2")]


def test_a_report_waits_for_no_writer_and_no_writer_for_it(postgres_url: str) -> None:
    """Either would fail after the 5 s that a statement waits for a lock."""
    with closing(open_store(postgres_url)) as writer, closing(open_store(postgres_url)) as other:
        assert isinstance(writer, RelationalStore)
        assert isinstance(other, RelationalStore)
        with writer._database.writing():  # noqa: SLF001 - a writer that takes its time
            assert other.report(made()) == [made()]
        with other._database.writing_apart() as connection:  # noqa: SLF001 - a report that takes its time
            connection.run("UPDATE replicas SET seen_at = seen_at")
            drain(writer, [exposure()])


def test_a_state_of_a_release_without_replicas_is_kept(
    url: str, replica: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:8])
        old = replica()
        old.create(experiment())
        key = old.state().user_key
    new = replica()
    assert new.experiment("exp") == experiment()
    assert new.state().user_key == key
    assert new.report(made()) == [made()]
    assert query(url, "SELECT value FROM meta WHERE name = 'schema'") == [(str(len(schema.MIGRATIONS)),)]


def test_only_a_server_is_shared(sqlite_url: str, postgres_url: str) -> None:
    for url, shared in ((sqlite_url, False), (postgres_url, True)):
        with closing(open_store(url)) as store:
            assert store.is_shared is shared
