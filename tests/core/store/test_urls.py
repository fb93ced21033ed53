from __future__ import annotations

import os
import re
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

SECRET = "s3cret-word"  # noqa: S105 - not a real one
AT = "write @ as %40; expected postgresql://user@host:port/database"
SLASH = "write / as %2F and ? as %3F; expected postgresql://"
PERCENT = "write % as %25; expected postgresql://"
PORT = "port is not a number from 1 to 65535; expected postgresql://"
PARAMETER = "write & as %26 and = as %3D; expected postgresql://"


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
def test_urls_of_both_stores_are_accepted(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        (f"user:{SECRET}@host", "not a URL; expected sqlite:///path"),
        ("", "not a URL"),
        (f"mysql://user:{SECRET}@host/database", "'mysql' is not a supported store; expected"),
        ("sqlite://", "names no file"),
        ("sqlitex:///state.db", "'sqlitex' is not a supported store"),
        ("SQLITE:///state.db", "'SQLITE' is not a supported store"),
        (f"postgresql+psycopg://user:{SECRET}@host/database", "'postgresql+psycopg' is not a supported store"),
        ("sqlite:///", "names no file"),
        ("sqlite://state.db", "names no file"),
        ("sqlite:///folder/", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///state.db?mode=ro", "names no file"),
        (f"user:{SECRET}://x@host/database", "not a URL"),
        (f"postgresql://user:{SECRET}@word@host/database", AT),
        (f"postgresql://us@er:{SECRET}@host/database", AT),
        (f"postgresql://user:a@b/{SECRET}@host/database", AT),
        (f"postgresql://user:{SECRET}@host/database?password=a@b", AT),
        (f"postgresql://user:{SECRET}/word@host/database", SLASH),
        (f"postgresql://user:{SECRET}?word@host/database", SLASH),
        (f"postgresql://user:1/{SECRET}@host/database", SLASH),
        (f"postgresql://user:{SECRET}://x@host/database", SLASH),
        (f"postgresql://host/database?password={SECRET}@x", SLASH),
        (f"postgresql://user:{SECRET}%zz@host/database", PERCENT),
        (f"postgresql://user:{SECRET}%@host/database", PERCENT),
        (f"postgresql://user:{SECRET}%00@host/database", "cannot read this PostgreSQL URL; expected postgresql://"),
        (f"postgresql://user@host/database?pass={SECRET}", PARAMETER),
        (f"postgresql://user@host/database?password=a&{SECRET}", PARAMETER),
        (f"postgresql://user@host/database?password=a={SECRET}", PARAMETER),
        (f"postgresql://user@[{SECRET}/database", "unbalanced [ or ]"),
        (f"postgresql://user:{SECRET}%ff@host/database", "not UTF-8; expected postgresql://"),
        (f"postgresql://user@host:{SECRET}/database", PORT),
        (f"postgresql://user:{SECRET}", PORT),
        (f"postgresql://user:{SECRET}@host:65536/database", PORT),
        (f"postgresql://user:{SECRET}@host:5_432/database", PORT),
        (f"postgresql://user:{SECRET}@one,two:1,three:2/database?port=1,2", "number of ports"),
        (f"postgresql://user:{SECRET}@a..b/database", "not a valid host name"),
    ],
)
def test_invalid_urls_are_refused_with_the_reason_and_without_the_password(url: str, error: str) -> None:
    for refuse in (check_url, open_store):
        with pytest.raises(ValueError, match=re.escape(error)) as refused:
            refuse(url)
        assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_a_relative_path_starts_at_the_working_folder_of_the_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(open_store("sqlite:///data/deep/state.db")) as store:
        assert (tmp_path / "data" / "deep" / "state.db").exists()
        monkeypatch.chdir("/")
        assert store.state().revision == 0


def test_the_postgresql_driver_is_not_imported_for_sqlite(tmp_path: Path) -> None:
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
def test_all_urls_of_one_store_have_the_same_identity(
    one: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "link.db").symlink_to("state.db")
    assert identity(one) == identity(other)
    assert SECRET not in identity(one)


def test_different_stores_have_different_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    urls = [
        *("postgresql://host/database", "postgresql://host/another", "postgresql://host:5433/database"),
        *("postgresql:///database", "postgresql:///database?host=/run/postgresql", "postgresql://host,two/database"),
        *("postgresql://host/database?hostaddr=10.0.0.1", "postgresql://host/database?service=main"),
        *("sqlite:///state.db", "sqlite:////state.db", "sqlite:///another.db"),
    ]
    assert len({identity(url) for url in urls}) == len(urls)
    assert identity("postgresql:///database") == identity("postgresql://elsewhere/database")


def test_a_state_file_is_reserved_once_also_by_another_path(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to("state.db")
    with reserve(f"sqlite:///{tmp_path}/state.db"):
        with pytest.raises(StoreInUse, match=f"^state file {tmp_path}/state.db is in use by process {os.getpid()}$"):
            reserve(f"sqlite:///{tmp_path}/link.db")
        reserve(f"sqlite:///{tmp_path}/another.db").close()
        open_store(f"sqlite:///{tmp_path}/state.db").close()
    reserve(f"sqlite:///{tmp_path}/link.db").close()


def test_a_postgresql_database_can_be_reserved_by_several_servers() -> None:
    with reserve("postgresql://host/database"), reserve("postgresql://host/database"):
        pass


def test_a_lock_file_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StoreUnavailable, match=r"state file .*/data/state\.db cannot be locked: ") as raised:
        reserve(f"sqlite:///{tmp_path}/data/state.db")
    assert str(tmp_path) not in raised.value.message
