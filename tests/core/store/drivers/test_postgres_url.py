from __future__ import annotations

import itertools
import logging
import traceback
from urllib.parse import unquote

import psycopg
import pytest

from core.errors import StoreUnavailable
from core.store.drivers.postgres import PostgresDatabase
from core.store.drivers.postgres_url import hiding, identity, options
from core.store.opening import check_url

WORD = "s3cret@word"
URL = "postgresql://user:s3cret%40word@host/database"
SECRETS = (WORD, "s3cret%40word", "s3cret", "@word")


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "postgresql://user@host/database?password=s3cret%40word",
        "postgresql://host/database?sslpassword=s3cret%40word",
    ],
)
def test_secrets_are_hidden_decoded_and_percent_encoded(url: str) -> None:
    hide = hiding(url)
    for text in (f"host '{WORD}' is none", f'invalid: "{url}"', f"{WORD}{WORD}", f"x{WORD}x"):
        assert not [secret for secret in SECRETS if secret in hide(text)]
        assert "***" in hide(text)
    assert hide("failed to resolve host 'host'") == "failed to resolve host 'host'"


def test_a_short_secret_is_hidden_only_as_a_whole_word() -> None:
    hide = hiding("postgresql://user:a@host/database")
    assert hide("a host: 'a@b' failed") == "*** host: '***@b' failed"


@pytest.mark.parametrize("word", ["user", "host", "database", "two"])
def test_a_password_equal_to_a_visible_part_is_not_hidden(word: str) -> None:
    text = "authentication failed for user 'user' on host, two and database"
    assert hiding(f"postgresql://user:{word}@host,two/database")(text) == text


def test_the_longer_of_two_secrets_is_hidden_completely() -> None:
    hide = hiding("postgresql://user:password1@host/database?sslpassword=password12345")
    assert hide("password12345, password1") == "***, ***"


def test_secrets_of_the_environment_are_hidden_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", WORD)
    assert hiding("postgresql://user@host/database")(f"x{WORD}x") == "x***x"


def test_options_equal_those_that_libpq_reads() -> None:
    assert options(URL) == {"user": "user", "password": WORD, "host": "host", "dbname": "database"}


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> PostgresDatabase:
    """A database with a libpq that quotes all its input in the error."""

    def connect(conninfo: str, **_: object) -> psycopg.Connection:
        raise psycopg.OperationalError(f"failed with {conninfo} and {URL}")

    database = PostgresDatabase(URL)
    monkeypatch.setattr(psycopg, "connect", connect)
    return database


def test_neither_error_nor_log_contains_a_password_that_libpq_quotes(
    talkative: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(StoreUnavailable) as raised, talkative.reading():
        pass
    assert not talkative.wait_for_change(0.01)
    logging.getLogger("elsewhere").error("the store fails", exc_info=raised.value)
    written = "".join(traceback.format_exception(raised.value)) + caplog.text
    assert "failed with" in written
    assert not [secret for secret in SECRETS if secret in written]
    trouble = talkative.trouble(psycopg.OperationalError(f"no {WORD}"))
    assert trouble == "no ***"


def test_a_failed_look_up_of_the_host_is_an_unavailable_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object, **__: object) -> psycopg.Connection:
        raise UnicodeError("label empty or too long")

    database = PostgresDatabase("postgresql://host/database")
    monkeypatch.setattr(psycopg, "connect", connect)
    with pytest.raises(StoreUnavailable), database.reading():
        pass


@pytest.mark.parametrize("user", ["user:", "", ":", "user@tenant:"])
@pytest.mark.parametrize("place", ["host/database", "host", "one:1,two/database?sslmode=require", ""])
def test_a_password_is_read_as_intended_or_the_url_is_refused(user: str, place: str) -> None:
    """With any characters in it, the password is never taken for a host, a port, a database or a parameter."""
    signs = ("@", "/", "#", "?", ":", "%", "&", "=", "[", "]", ",", "://", "%40", "%2f", "%2", "1", "@host/", "?user=")
    for first, second in itertools.product(signs, signs):
        password = f"s3cret{first}s3cret{second}s3cret"
        url = f"postgresql://{user}{password}@{place}"
        try:
            check_url(url)
        except ValueError as refused:
            assert "s3cret" not in str(refused)  # noqa: PT017 - some URLs are accepted
            continue
        found = options(url)
        named = "password" if user else "user" if ":" not in password else None
        if named is not None:
            assert found[named] == unquote(password)
            assert "s3cret" not in str({name: value for name, value in found.items() if name != named})
        if named == "password":
            assert "s3cret" not in identity(url)
            assert "s3cret" not in hiding(url)(f"{url} {found}")
