"""Which places a PostgreSQL URL names, and which of them are connected to while others are silent."""

from __future__ import annotations

import resource
import selectors
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from core.errors import StoreUnavailable
from core.store.drivers import postgres_places
from core.store.drivers.postgres import PostgresDatabase
from core.store.drivers.postgres_places import Place, accepting, places
from core.store.drivers.postgres_url import options
from tests import needs
from tests.processes import free_port

# Longer than a test may take.
NEVER = 1000


@contextmanager
def listening() -> Iterator[tuple[socket.socket, int]]:
    """A port that accepts connections."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server, server.getsockname()[1]


@contextmanager
def silent() -> Iterator[tuple[socket.socket, int]]:
    """A port at which connections get no answer until one is accepted, as with a host that has vanished."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port: int = server.getsockname()[1]
        full = False
        while not full:  # Linux drops what exceeds the queue
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.3)
            try:
                waiting.connect(("127.0.0.1", port))
            except TimeoutError:
                full = True
        yield server, port


def place(port: int) -> Place:
    return Place("127.0.0.1", "127.0.0.1", port, socket.AF_INET)


def named(url: str) -> list[tuple[str, str, int]]:
    return [each[:3] for each in places(options(url))]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u@10.0.0.1,10.0.0.2/d", [("10.0.0.1", "10.0.0.1", 5432), ("10.0.0.2", "10.0.0.2", 5432)]),
        ("postgresql://u@10.0.0.1:1,10.0.0.2:2/d", [("10.0.0.1", "10.0.0.1", 1), ("10.0.0.2", "10.0.0.2", 2)]),
        ("postgresql://u@db/d?hostaddr=10.0.0.1&port=7", [("db", "10.0.0.1", 7)]),
        ("postgresql:///d?hostaddr=10.0.0.1", [("", "10.0.0.1", 5432)]),
        ("postgresql://u@[::1]:3/d", [("::1", "::1", 3)]),
        ("postgresql://u@[fe80::1%25lo]/d", [("fe80::1%lo", "fe80::1%1", 5432)]),
        # libpq refuses these, and says why.
        ("postgresql://u@db1,db2/d?hostaddr=10.0.0.1", []),
        ("postgresql://u@db/d?hostaddr=10.0.0.1,10.0.0.2", []),
        # libpq finds these by rules of its own.
        ("postgresql:///d?host=/run/postgresql", []),
        ("postgresql://u@10.0.0.1/d?load_balance_hosts=random", []),
        ("postgresql:///d?service=main", []),
    ],
)
def test_the_places_of_a_url(url: str, expected: list[tuple[str, str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    assert named(url) == expected


def test_a_name_stands_for_all_its_addresses_and_an_unknown_one_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_up(name: str, port: str, **_: object) -> list[object]:
        if name == "gone.internal":
            raise socket.gaierror
        return [(socket.AF_INET, 1, 6, "", (address, int(port))) for address in ("10.0.0.1", "10.0.0.2")]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    expected = [("db.internal", "10.0.0.1", 5432), ("db.internal", "10.0.0.2", 5432)]
    assert named("postgresql://u@gone.internal,db.internal/d") == expected


def test_places_that_accept_come_in_their_order_without_those_that_refuse() -> None:
    with listening() as (_, one), listening() as (_, other):
        asked = [place(one), place(free_port()), place(other)]
        assert list(accepting(asked, NEVER)) == [asked[0], asked[2]]


def test_a_silent_place_does_not_keep_others_waiting() -> None:
    with silent() as (_, vanished), listening() as (_, there):
        assert list(accepting([place(vanished), place(there)], NEVER)) == [place(there)]


def test_a_silent_place_is_found_as_soon_as_it_answers() -> None:
    with silent() as (server, port):
        found = accepting([place(port)], NEVER)
        server.settimeout(30)
        server.accept()[0].close()
        assert next(found) == place(port)
        found.close()


def test_the_time_that_the_caller_takes_for_one_place_is_not_taken_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with silent() as (server, late), listening() as (_, there):
        found = accepting([place(there), place(late)], NEVER)
        assert next(found) == place(there)
        server.settimeout(30)
        server.accept()[0].close()
        clock = time.monotonic
        with monkeypatch.context() as patched:
            patched.setattr(time, "monotonic", lambda: clock() + 60)
            assert next(found) == place(late)
        found.close()


def test_without_an_answer_the_error_says_why() -> None:
    with pytest.raises(psycopg.OperationalError, match=r"127\.0\.0\.1:\d+ Connection refused"):
        list(accepting([place(free_port())], NEVER))
    with silent() as (_, port), pytest.raises(psycopg.OperationalError, match=r"no answer for 0.2 s; .*refused"):
        list(accepting([place(port), place(free_port())], 0.2))


def test_a_place_that_this_machine_cannot_use_leaves_the_others() -> None:
    with listening() as (_, there):
        unsupported = Place("db", "::1", there, socket.AF_X25)  # like IPv6 where the kernel has none
        assert list(accepting([unsupported, place(there)], NEVER)) == [place(there)]
    with pytest.raises(psycopg.OperationalError, match="Address family not supported"):
        list(accepting([unsupported], 0.2))


def test_a_long_wait_for_a_silent_place_takes_few_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    class Counting(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            attempts.append(len(self.get_map()))
            return super().select(timeout)

    monkeypatch.setattr(selectors, "DefaultSelector", Counting)
    monkeypatch.setattr(postgres_places, "_PACE_SECONDS", 0.01)
    with silent() as (_, port), pytest.raises(psycopg.OperationalError, match="no answer"):
        list(accepting([place(port)], 0.5))
    assert max(attempts) == 4
    assert len(attempts) > 4


def test_the_first_place_is_preferred_if_another_one_answers_a_moment_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    class OneByOne(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            return super().select(timeout)[-1:]

    monkeypatch.setattr(selectors, "DefaultSelector", OneByOne)
    with listening() as (_, one), listening() as (_, other):
        assert list(accepting([place(one), place(other)], NEVER)) == [place(one), place(other)]


def test_an_error_names_what_each_host_said(postgres_url: str) -> None:
    real = urlsplit(postgres_url)
    where = f"{real.hostname}:{real.port}"
    with closing(PostgresDatabase(f"postgresql://unknown@{where},{where}/nowhere")) as database:
        with pytest.raises(StoreUnavailable) as raised:
            database.connect()
        assert str(raised.value).count("failed: FATAL") == 2


def test_without_a_free_descriptor_the_store_is_unavailable_and_nothing_leaks(postgres_url: str) -> None:
    with closing(PostgresDatabase(postgres_url)) as database:
        database.connect().close()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as lowest:
            free = lowest.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
        try:
            with pytest.raises(StoreUnavailable, match="Too many open files"):
                database.connect()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        with socket.socket() as lowest:
            assert lowest.fileno() == free


def test_a_database_is_reached_although_the_first_host_of_its_url_is_silent(postgres_url: str) -> None:
    real = urlsplit(postgres_url)
    with silent() as (_, port):
        both = f"{real.scheme}://{real.username}@127.0.0.1:{port},{real.hostname}:{real.port}{real.path}"
        with closing(PostgresDatabase(f"{both}?connect_timeout={NEVER}")) as database:
            with database.reading() as connection:
                assert connection.rows("SELECT 1") == [(1,)]
            # The next connection begins with the place of the last one.
            with closing(database.connect()) as connection:
                assert connection.place[2] == real.port


def test_the_server_s_side_of_a_writer_s_connection_ends_when_its_host_has_vanished(postgres_url: str) -> None:
    with closing(PostgresDatabase(postgres_url)) as database, database.writing() as connection:
        names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
        shown = [connection.rows(f"SHOW {name}")[0][0] for name in names]
    assert shown == ["1", "1", "2", "3000"]


@pytest.mark.parametrize(
    ("host", "trusted"), [("localhost", True), ("nowhere.invalid,localhost", True), ("127.0.0.1", False)]
)
def test_a_certificate_is_checked_by_the_name_of_the_host(host: str, tmp_path: Path, *, trusted: bool) -> None:
    made = "req -x509 -newkey rsa:2048 -nodes -subj /CN=db -addext subjectAltName=DNS:localhost -keyout key -out crt"
    subprocess.run([needs.program("openssl", "openssl"), *made.split()], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    told: list[bytes] = []

    def answer(server: socket.socket) -> None:
        with suppress(OSError):  # the end of the test
            while True:
                connection, _ = server.accept()
                with connection, suppress(ssl.SSLError):
                    if connection.recv(8):  # the wish for TLS; nothing if it is only seen whether this host answers
                        connection.send(b"S")
                        with context.wrap_socket(connection, server_side=True) as encrypted:
                            told.append(encrypted.recv(1000))

    with listening() as (server, port):
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        url = f"postgresql://reader@{host}:{port}/d?sslmode=verify-full&sslrootcert={tmp_path / 'crt'}"
        with closing(PostgresDatabase(url)) as database, pytest.raises(StoreUnavailable) as raised:
            database.connect()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert (b"reader" in b"".join(told)) is trusted
    assert ("does not match host name" in str(raised.value)) is not trusted
