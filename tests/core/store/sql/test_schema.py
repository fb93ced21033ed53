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
from core.experiments.records import Failure, Refusal
from core.store import open_store
from core.store.interface import SchemaTooNew, Store
from core.store.sql import schema
from tests.core.store.samples import AT, candle, drain, experiment, exposure, outcome, query

Open = Callable[[], Store]
STEP = ("CREATE TABLE further (word TEXT)", "INSERT INTO further VALUES ('new')")


def test_a_newer_schema_is_refused_with_both_versions_and_not_changed(url: str, replica: Open) -> None:
    drain(replica(), [exposure()])
    known = len(schema.MIGRATIONS)
    query(url, f"UPDATE meta SET value = '{known + 4}' WHERE name = 'schema'")  # noqa: S608 - a number
    place = url.removeprefix("sqlite:///") if url.startswith("sqlite") else "the PostgreSQL database "
    with pytest.raises(SchemaTooNew, match=rf"{place}.* {known + 4}, .* {known}$"):
        open_store(url)
    assert query(url, "SELECT value FROM meta WHERE name = 'schema'") == [(str(known + 4),)]
    assert query(url, "SELECT COUNT(*) FROM exposures") == [(1,)]


def test_an_older_schema_is_migrated_and_keeps_its_data(
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


def test_exposures_of_a_release_without_warnings_are_kept_without_warnings(
    url: str, replica: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        replica()
    old = msgspec.structs.astuple(exposure(1))[:-3]
    quoted = ", ".join("NULL" if value is None else repr(value) for value in old)
    query(url, f"INSERT INTO exposures VALUES ({quoted})")  # noqa: S608 - the test's own values
    new = replica()
    drain(new, [exposure(2, warnings=("SPACING",))])
    assert [row["warnings"] for row in new.export("exp")] == [None, "SPACING"]
    assert new.tally("exp")["A"].warnings == {"SPACING": 1}


def test_totals_of_a_release_without_refusals_have_none(
    url: str, replica: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:3])
        replica()
    query(url, "INSERT INTO totals VALUES ('exp', 'A', 1, 2, 3, 4)")
    new = replica()
    drain(new, [Refusal(AT, "exp", "A"), Failure(AT, "exp", "A")])
    found = new.tally("exp")["A"]
    assert (found.fallbacks, found.failures, found.refused, found.slow, found.unrecorded) == (1, 3, 1, 3, 4)
    assert new.beside("exp") == (0, 0)


def test_shadow_scores_of_a_release_without_inputs_are_kept_with_their_outcomes(
    url: str, replica: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:2])
        replica().create(experiment(mode="shadow").activated(AT))
    shadow = "shadow_at, shadow_a_signal, shadow_a_confidence, shadow_b_signal, shadow_b_confidence"
    for number, columns, values in ((1, shadow, "5, 'long', 0.7, 'long', 0.6"), (2, "label", "1")):
        query(
            url,
            f"INSERT INTO candles (experiment_id, pair, timeframe, candle, first_at, a_wins, {columns}) "  # noqa: S608 - the test's own values
            f"VALUES ('exp', 'EUR/USD', '1h', '{candle(number)}', 1, 3, {values})",
        )
    old = exposure(1)
    new = replica()
    drain(new, [old])
    new.record_outcomes([outcome(old, "loss")], AT)
    found = new.candles("exp")
    names = ("longs", "confidence", "wins", "losses")
    assert [getattr(found.a, name).tolist() for name in names] == [[1], [0.7], [3], [1]]
    assert [getattr(found.b, name).tolist() for name in names] == [[1], [0.6], [3], [1]]


def test_a_failed_migration_leaves_the_old_schema(url: str, replica: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    drain(replica(), [exposure()])
    known = schema.MIGRATIONS
    monkeypatch.setattr(schema, "MIGRATIONS", (*known, STEP, ("DROP TABLE exposures", "SELECT * FROM nowhere")))
    with pytest.raises((sqlite3.OperationalError, psycopg.ProgrammingError), match="nowhere"):
        replica()
    monkeypatch.undo()
    assert len(list(replica().export("exp"))) == 1
    with pytest.raises((sqlite3.OperationalError, psycopg.ProgrammingError), match="further"):
        query(url, "SELECT * FROM further")


def test_replicas_that_open_an_empty_database_at_once_have_the_same_key(url: str) -> None:
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


def test_equally_named_tables_of_other_applications_do_not_interfere(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as server:
        server.execute("CREATE TABLE users (name TEXT)")
        server.execute("CREATE TABLE meta (schema INTEGER)")
    with closing(open_store(postgres_url)) as store:
        drain(store, [exposure()])
        assert store.tally("exp")["A"].users == 1
    with psycopg.connect(postgres_url) as server:
        assert server.execute("SELECT COUNT(*) FROM public.users").fetchone() == (0,)


@pytest.mark.parametrize("content", [b"not a database at all", b"\0" * 4096], ids=["text", "zeros"])
def test_an_unreadable_file_is_renamed_and_a_new_one_is_created(
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
    (event,) = caplog.messages
    assert event.startswith(f"state_file_unreadable path={tmp_path}/state.db error=")
    assert f" renamed_to={tmp_path}/{aside[0]} " in event


def test_a_second_truncated_file_does_not_overwrite_the_first_renamed_one(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    for _ in range(2):
        with closing(open_store(f"sqlite:///{path}")) as store:
            drain(store, [exposure()])
        path.write_bytes(path.read_bytes()[:2000])
    with closing(open_store(f"sqlite:///{path}")) as store:
        assert list(store.export("exp")) == []
    assert [len(file.read_bytes()) for file in tmp_path.glob("*unreadable*")] == [2000, 2000]


def test_a_file_with_a_malformed_header_is_renamed(tmp_path: Path) -> None:
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


def test_a_folder_in_the_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    with pytest.raises(StoreUnavailable, match=r"state file .*state\.db: unable to open"):
        open_store(f"sqlite:///{tmp_path}/state.db")


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StoreUnavailable, match=r"state file .*/data/state\.db: .*File exists"):
        open_store(f"sqlite:///{tmp_path}/data/state.db")


def test_the_state_files_are_readable_only_by_their_owner(tmp_path: Path) -> None:
    (tmp_path / "state.db").symlink_to(tmp_path / "elsewhere.db")
    with closing(open_store(f"sqlite:///{tmp_path}/state.db")) as store:
        drain(store, [exposure()])
        modes = {path.name: path.lstat().st_mode & 0o777 for path in tmp_path.glob("elsewhere.db*")}
    assert modes == {f"elsewhere.db{suffix}": 0o600 for suffix in ("", "-wal", "-shm")}


def test_instants_can_exceed_32_bits(replica: Open) -> None:
    store = replica()
    store.create(experiment(created_at=AT * 5))
    assert store.experiment("exp").created_at == AT * 5
