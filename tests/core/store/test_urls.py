from __future__ import annotations

import os
import subprocess
import sys
import traceback
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import StoreUnavailable
from core.store import check_url, open_store
from core.store.interface import StoreInUse
from core.store.opening import identity, reserve
from tests.market import ROOT

SECRET = "s3cret-word"  # noqa: S105 - nobody's
AT = "an @ in a user name or password is written %40; expected postgresql://user@host:port/database"
SLASH = (
    "a / or a ? is in front of its @: in a user name or password / is written %2F, and ? %3F; expected postgresql://"
)
PORT = "its port is not a number from 1 to 65535; expected postgresql://"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///data/state.db",
        "sqlite:////var/lib/reversal/state.db",
        "postgresql://user@host/database",
        "postgres://user:word@host:5433/database?sslmode=require",
        "postgresql:///database?host=/run/postgresql",
        "postgresql://one,two/database?target_session_attrs=read-write",
        "postgresql://user:a%40b%2Fc%3Fd%25e@host/database",
        "postgresql://user:a#b:c@host/database?ssl=true",
        "postgresql://user@%2Frun%2Fpostgresql/database",
        "postgresql://user@[::1]:5432/database",
        "postgresql://me%40tenant:word@host/database",
    ],
)
def test_urls_of_both_stores_are_taken(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"user:{SECRET}@host", "that is no URL; expected sqlite:///path"),
        ("", "that is no URL"),
        (f"mysql://user:{SECRET}@host/database", "'mysql' is no kind of store; expected"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite://state.db", "names no file"),
        ("sqlite:///folder/", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///state.db?mode=ro", "names no file"),
        (f"user:{SECRET}://x@host/database", "that is no URL"),
        (f"postgresql://user:{SECRET}@word@host/database", f"it has more than one @: {AT}"),
        (f"postgresql://us@er:{SECRET}@host/database", f"it has more than one @: {AT}"),
        (f"postgresql://user:a@b/{SECRET}@host/database", f"it has more than one @: {AT}"),
        (f"postgresql://user:{SECRET}@host/database?password=a@b", f"it has more than one @: {AT}"),
        (f"postgresql://user:{SECRET}/word@host/database", SLASH),
        (f"postgresql://user:{SECRET}?word@host/database", SLASH),
        (f"postgresql://user:1/{SECRET}@host/database", SLASH),
        (f"postgresql://user:{SECRET}://x@host/database", SLASH),
        (f"postgresql://host/database?password={SECRET}@x", SLASH),
        (f"postgresql://user:{SECRET}%zz@host/database", "a % in a user name or password is written %25; expected"),
        (f"postgresql://user:{SECRET}%@host/database", "a % in a user name or password is written %25; expected"),
        (f"postgresql://user:{SECRET}%00@host/database", "this PostgreSQL URL cannot be read; expected postgresql://"),
        (f"postgresql://user@host/database?pass={SECRET}", "of its parameters one is unknown to libpq"),
        (f"postgresql://user@host/database?password=a&{SECRET}", "of its parameters one is unknown to libpq"),
        (f"postgresql://user@host/database?password=a={SECRET}", "of its parameters one is unknown to libpq"),
        (f"postgresql://user@[{SECRET}/database", "a [ or ] in it has no counterpart"),
        (f"postgresql://user:{SECRET}%ff@host/database", "what is percent-encoded in it is not UTF-8; expected"),
        (f"postgresql://user@host:{SECRET}/database", PORT),
        (f"postgresql://user:{SECRET}", PORT),
        (f"postgresql://user:{SECRET}@host:65536/database", PORT),
        (f"postgresql://user:{SECRET}@host:5_432/database", PORT),
        (f"postgresql://user:{SECRET}@one,two:1,three:2/database?port=1,2", "it has more hosts than ports, or fewer"),
        (f"postgresql://user:{SECRET}@a..b/database", "its host is no name that can be looked up"),
    ],
)
def test_other_urls_are_refused_in_a_sentence_without_the_password(url: str, told: str) -> None:
    for refuse in (check_url, open_store):
        with pytest.raises(ValueError, match=r".*") as refused:
            refuse(url)
        assert told in str(refused.value)
        assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_a_relative_path_is_of_the_folder_at_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(open_store("sqlite:///data/deep/state.db")) as store:
        assert (tmp_path / "data" / "deep" / "state.db").exists()
        monkeypatch.chdir("/")
        assert store.state().revision == 0


def test_the_driver_of_postgresql_is_loaded_only_where_it_is_needed(tmp_path: Path) -> None:
    code = "import sys; from core.store import open_store; open_store(sys.argv[1]).close()"
    code += "; print('psycopg' in sys.modules)"
    url = f"sqlite:///{tmp_path}/state.db"
    run = subprocess.run([sys.executable, "-c", code, url], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("postgresql://a:b@host/database", "postgres://c:d%23@host:5432/database"),
        ("postgresql://a@host/database", "postgresql:///?host=host&port=5432&dbname=database&user=a&password=x%23y"),
        (f"postgresql://a:{SECRET}#1@host/database", "postgresql://a@host/database"),
        ("postgresql://one,two/database", "postgresql://one:5432,two:5432/database?target_session_attrs=read-write"),
        ("postgresql://one,two/database", "postgresql:///database?host=one,two&port=5432"),
        ("postgresql://user@host", "postgresql://user@host/user"),
        ("sqlite:///data/../state.db", "sqlite:///state.db"),
        ("sqlite:///link.db", "sqlite:///state.db"),
    ],
)
def test_one_store_has_one_identity_however_it_is_written(
    one: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "link.db").symlink_to("state.db")
    assert identity(one) == identity(other)
    assert SECRET not in identity(one)


def test_different_stores_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    urls = [
        *("postgresql://host/database", "postgresql://host/another", "postgresql://host:5433/database"),
        *("postgresql:///database", "postgresql:///database?host=/run/postgresql", "postgresql://host,two/database"),
        *("postgresql://host/database?hostaddr=10.0.0.1", "postgresql://host/database?service=main"),
        *("sqlite:///state.db", "sqlite:////state.db", "sqlite:///another.db"),
    ]
    assert len({identity(url) for url in urls}) == len(urls)
    assert identity("postgresql:///database") == identity("postgresql://elsewhere/database")


def test_a_state_file_is_reserved_by_one_whatever_path_it_is_given_by(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to("state.db")
    with reserve(f"sqlite:///{tmp_path}/state.db"):
        with pytest.raises(StoreInUse, match=f"^state file {tmp_path}/state.db is in use by process {os.getpid()}$"):
            reserve(f"sqlite:///{tmp_path}/link.db")
        reserve(f"sqlite:///{tmp_path}/another.db").close()
        open_store(f"sqlite:///{tmp_path}/state.db").close()
    reserve(f"sqlite:///{tmp_path}/link.db").close()


def test_a_database_for_several_machines_is_reserved_by_nobody() -> None:
    with reserve("postgresql://host/database"), reserve("postgresql://host/database"):
        pass


def test_a_lock_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StoreUnavailable, match=r"state file .*/data/state\.db cannot be locked: ") as told:
        reserve(f"sqlite:///{tmp_path}/data/state.db")
    assert str(tmp_path) not in told.value.message
