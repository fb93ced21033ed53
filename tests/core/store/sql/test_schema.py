from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import psycopg
import pytest

from core.errors import StoreUnavailable
from core.store import open_store
from core.store.interface import SchemaTooNew, Store
from core.store.sql import schema
from tests.core.store.samples import AT, drain, experiment, exposure

Open = Callable[[], Store]
STEP = ("CREATE TABLE further (word TEXT)", "INSERT INTO further VALUES ('new')")


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    """Ask the database itself."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
            return database.execute(statement).fetchall()
    with psycopg.connect(url, options="-c search_path=reversal") as server:
        cursor = server.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_a_newer_schema_is_refused_with_both_numbers_and_left_alone(url: str, replica: Open) -> None:
    drain(replica(), [exposure()])
    known = len(schema.MIGRATIONS)
    query(url, f"UPDATE meta SET value = '{known + 4}' WHERE name = 'schema'")  # noqa: S608 - a number
    place = url.removeprefix("sqlite:///") if url.startswith("sqlite") else "the PostgreSQL database "
    told = f"{place}.* was written by a newer release: it has schema {known + 4}, this release knows up to {known}"
    with pytest.raises(SchemaTooNew, match=told):
        open_store(url)
    assert query(url, "SELECT value FROM meta WHERE name = 'schema'") == [(str(known + 4),)]
    assert query(url, "SELECT COUNT(*) FROM exposures") == [(1,)]


def test_an_older_schema_is_brought_forward_and_keeps_what_is_in_it(
    url: str, replica: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = replica()
    old.create(experiment())
    key = old.state().user_key
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, STEP))
    new = replica()
    assert new.experiment("exp") == experiment()
    assert new.state().user_key == key
    assert query(url, "SELECT word FROM further") == [("new",)]
    replica()
    assert query(url, "SELECT word FROM further") == [("new",)]
    monkeypatch.undo()
    with pytest.raises(SchemaTooNew):
        replica()


def test_exposures_of_the_release_before_warnings_are_kept_as_if_they_had_none(
    url: str, replica: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        replica()
    old = msgspec.structs.astuple(exposure(1))[:-1]
    quoted = ", ".join("NULL" if value is None else repr(value) for value in old)
    query(url, f"INSERT INTO exposures VALUES ({quoted})")  # noqa: S608 - values of ours
    new = replica()
    drain(new, [exposure(2, warnings=("SPACING",))])
    assert [row["warnings"] for row in new.export("exp")] == [None, "SPACING"]
    assert new.tally("exp")["A"].warnings == {"SPACING": 1}


def test_steps_that_fail_leave_the_store_at_the_schema_it_had(
    url: str, replica: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    drain(replica(), [exposure()])
    known = schema.MIGRATIONS
    monkeypatch.setattr(schema, "MIGRATIONS", (*known, STEP, ("DROP TABLE exposures", "SELECT * FROM nowhere")))
    with pytest.raises((sqlite3.OperationalError, psycopg.ProgrammingError), match="nowhere"):
        replica()
    monkeypatch.undo()
    assert len(list(replica().export("exp"))) == 1
    with pytest.raises((sqlite3.OperationalError, psycopg.ProgrammingError), match="further"):
        query(url, "SELECT * FROM further")


def test_replicas_that_open_an_empty_database_at_once_agree(url: str) -> None:
    barrier = threading.Barrier(6)
    keys: list[str] = []

    def start() -> None:
        barrier.wait(30)
        with closing(open_store(url)) as store:
            keys.append(store.state().user_key)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 6
    assert len(set(keys)) == 1


def test_tables_of_other_people_in_the_same_database_are_no_hindrance(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as server:
        server.execute("CREATE TABLE users (name TEXT)")
        server.execute("CREATE TABLE meta (schema INTEGER)")
    with closing(open_store(postgres_url)) as store:
        drain(store, [exposure()])
        assert store.tally("exp")["A"].users == 1
    with psycopg.connect(postgres_url) as server:
        assert server.execute("SELECT COUNT(*) FROM public.users").fetchone() == (0,)


@pytest.mark.parametrize("content", [b"not a database at all", b"\0" * 4096], ids=["text", "zeros"])
def test_an_unreadable_file_is_set_aside_and_a_new_one_is_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    files = {"": content, "-wal": b"its journal", "-shm": b"its index"}
    for suffix, found in files.items():
        (tmp_path / f"state.db{suffix}").write_bytes(found)
    with caplog.at_level(logging.ERROR), closing(open_store(f"sqlite:///{tmp_path}/state.db")) as store:
        drain(store, [exposure()])
        aside = sorted(path.name for path in tmp_path.glob("*unreadable*"))
        assert [(tmp_path / name).read_bytes() for name in aside] == [content, b"its index", b"its journal"]
        assert aside == [f"{aside[0]}{suffix}" for suffix in ("", "-shm", "-wal")]
        assert aside[0].startswith("state.db.unreadable-2")
    (record,) = caplog.records
    assert "state.db: " in record.getMessage()
    assert aside[0] in record.getMessage()


def test_a_torn_file_is_set_aside_and_a_second_one_does_not_overwrite_it(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    for _ in range(2):
        with closing(open_store(f"sqlite:///{path}")) as store:
            drain(store, [exposure()])
        path.write_bytes(path.read_bytes()[:2000])
    with closing(open_store(f"sqlite:///{path}")) as store:
        assert list(store.export("exp")) == []
    assert [len(file.read_bytes()) for file in tmp_path.glob("*unreadable*")] == [2000, 2000]


def test_a_file_with_a_malformed_header_is_set_aside(tmp_path: Path) -> None:
    content = b"SQLite format 3\0" + b"\xff" * 4080
    (tmp_path / "state.db").write_bytes(content)
    with closing(open_store(f"sqlite:///{tmp_path}/state.db")) as store:
        assert store.state().revision == 0
    (aside,) = tmp_path.glob("*unreadable*")
    assert aside.read_bytes() == content


def test_an_empty_file_is_an_empty_store(tmp_path: Path) -> None:
    (tmp_path / "state.db").touch()
    with closing(open_store(f"sqlite:///{tmp_path}/state.db")) as store:
        assert store.state().revision == 0
    assert not list(tmp_path.glob("*unreadable*"))


def test_a_folder_in_the_place_of_the_file_is_not_set_aside(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    with pytest.raises(StoreUnavailable, match=r"state file .*state\.db: unable to open"):
        open_store(f"sqlite:///{tmp_path}/state.db")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StoreUnavailable, match=r"state file .*state\.db: out of reach: File exists"):
        open_store(f"sqlite:///{tmp_path}/data/state.db")


def test_a_file_and_its_companions_are_read_by_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "state.db").symlink_to(tmp_path / "elsewhere.db")
    with closing(open_store(f"sqlite:///{tmp_path}/state.db")) as store:
        drain(store, [exposure()])
        modes = {path.name: path.lstat().st_mode & 0o777 for path in tmp_path.glob("elsewhere.db*")}
    assert modes == {f"elsewhere.db{suffix}": 0o600 for suffix in ("", "-wal", "-shm")}


def test_instants_reach_beyond_32_bits(replica: Open) -> None:
    store = replica()
    store.create(experiment(created_at=AT * 5))
    assert store.experiment("exp").created_at == AT * 5
