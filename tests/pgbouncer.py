"""A real PgBouncer for tests, in front of a PostgreSQL that is running."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests import needs
from tests.postgres import free_port, unprivileged, url_of
from tests.waiting import wait_until

MISSING = "PgBouncer is not installed: install Debian's package pgbouncer"

_CONFIGURATION = """
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listening}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 100
server_login_retry = 1
ignore_startup_parameters = extra_float_digits
"""


class Pooler:
    """A PgBouncer. A new one is not running yet."""

    def __init__(self, folder: Path, server_url: str, mode: str, size: int) -> None:
        self._program = _program()
        self._folder = folder
        self._server_url = server_url
        self._process: subprocess.Popen[bytes] | None = None
        self._port = free_port()
        given = conninfo_to_dict(server_url)
        parts = (
            (name, str(given[name]).replace("'", "''"))
            for name in ("host", "port", "user", "password")
            if name in given
        )
        server = " ".join(f"{name}='{value}'" for name, value in parts)
        (folder / "pgbouncer.ini").write_text(
            _CONFIGURATION.format(server=server, listening=self._port, mode=mode, size=size)
        )

    def url(self, database_url: str) -> str:
        """The URL of a database of the server, by way of the pooler."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/{conninfo_to_dict(database_url)['dbname']}"

    def start(self) -> None:
        """Start the pooler and wait until it accepts connections."""
        with (self._folder / "log").open("ab") as log:
            command = [self._program, str(self._folder / "pgbouncer.ini")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **unprivileged())
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        name = str(conninfo_to_dict(self._server_url)["dbname"])
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url(url_of(self._server_url, name))).close()
            return True
        return False

    def stop(self) -> None:
        """End the pooler immediately, with all its connections."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
            self._process = None


@contextmanager
def running_pooler(server_url: str, mode: str = "transaction", size: int = 1) -> Iterator[Pooler]:
    """A pooler with so many connections for each database. The test is skipped if PgBouncer is missing."""
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    try:
        if "user" in (owner := unprivileged()):
            os.chown(folder, owner["user"], owner["group"])
        pooler = Pooler(folder, server_url, mode, size)
        try:
            pooler.start()
            yield pooler
        finally:
            pooler.stop()
    finally:
        shutil.rmtree(folder)


def _program() -> str:
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        needs.missing(MISSING)
    return found
