from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from core.store import check_url, open_store
from tests.market import ROOT

SECRET = "s3cret-word"  # noqa: S105 - nobody's


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///data/state.db",
        "sqlite:////var/lib/reversal/state.db",
        "postgresql://user@host/database",
        "postgres://user:word@host:5433/database?sslmode=require",
        "postgresql:///database?host=/run/postgresql",
        "postgresql://one,two/database?target_session_attrs=read-write",
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
        (f"postgresql://user:{SECRET}%zz@host/database", "this PostgreSQL URL cannot be read; expected postgresql://"),
        (f"postgresql://user@host/database?pass={SECRET}", "expected postgresql://"),
        (f"postgresql://user@[{SECRET}/database", "expected postgresql://"),
    ],
)
def test_other_urls_are_refused_in_a_sentence_without_the_password(url: str, told: str) -> None:
    for refuse in (check_url, open_store):
        with pytest.raises(ValueError, match=r".*") as refused:
            refuse(url)
        assert told in str(refused.value)
        assert SECRET not in str(refused.value)


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
