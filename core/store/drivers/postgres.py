"""The PostgreSQL driver, for several machines, each with a keeper."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import psycopg
from psycopg.conninfo import make_conninfo

from core.store.drivers.database import PATIENCE_SECONDS, Connection, Database, Row, Value
from core.store.drivers.postgres_url import hiding, identity, options

_Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

# The tables are in a schema of their own, because other applications in a shared database can have a table `users` too.
SCHEMA = "reversal"
_CHANNEL = "reversal_state"
# The key of the writer's advisory lock. Any number that no other application uses in the same database would do.
_WRITER = 0x72657665727361

# With these, a server that has vanished is noticed within seconds; TCP's defaults take many minutes.
_DEFAULTS: dict[str, str | int | None] = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "reversal",
}
_SETTINGS = (
    f"SET search_path TO {SCHEMA}; SET lock_timeout TO '{PATIENCE_SECONDS}s'; "
    # A replica that stops in the middle of a transaction must not keep the others from writing.
    "SET idle_in_transaction_session_timeout TO '10s'; "
    # All queries here are by key, and the pages of an export come in the order of an index. While the planner has no
    # statistics of a new table or experiment, it would sort or scan the whole experiment for each page.
    "SET enable_sort TO off; SET enable_bitmapscan TO off; SET enable_material TO off"
)
# SQLSTATE codes of errors that are neither a psycopg.OperationalError nor a bug: a read-only server, such as a standby;
# a transaction that was idle for too long; a role without the necessary privilege.
_TROUBLE = {"25006", "25P03", "42501"}

# A waiting thread checks at this interval whether the store is being closed.
_LOOK_SECONDS = 0.25


class PostgresConnection:
    """A connection to a server."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    @property
    def broken(self) -> bool:
        """See Connection."""
        return self._connection.closed

    def run(self, statement: str, values: Sequence[Value] = ()) -> int:
        """See Connection."""
        # None instead of an empty sequence: only without parameters can the text consist of several statements.
        return self._connection.execute(_marked(statement), values or None).rowcount

    def run_many(self, statement: str, rows: Sequence[Sequence[Value]]) -> None:
        """See Connection."""
        with self._connection.cursor() as cursor:
            cursor.executemany(_marked(statement), rows)

    def rows(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """See Connection."""
        return self._connection.execute(_marked(statement), values or None).fetchall()

    def pages(self, statement: str, values: Sequence[Value], size: int) -> Iterator[list[Row]]:
        """See Connection."""
        # A named cursor is on the server; any other cursor would fetch all rows before the first page.
        with self._connection.cursor("pages") as cursor:
            cursor.execute(_marked(statement), values or None)
            while page := cursor.fetchmany(size):
                yield page

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
        """See Connection."""
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN".encode()
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def close(self) -> None:
        """See Connection."""
        self._connection.close()


class PostgresDatabase(Database):
    """A database on a server. A broken connection is replaced at the next transaction."""

    errors = psycopg.Error
    begin_writing = f"BEGIN; SELECT pg_advisory_xact_lock({_WRITER})"
    begin_reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, url: str) -> None:
        """Raises ValueError for an invalid URL; the message quotes nothing of it."""
        super().__init__(f"the PostgreSQL database {identity(url)}")
        self._hide = hiding(url)
        self._conninfo = make_conninfo("", **_DEFAULTS | options(url))
        self._listening = threading.Lock()
        self._listener: _Connection | None = None

    def connect(self) -> PostgresConnection:
        """See Database."""
        try:
            return PostgresConnection(self._connected())
        # Any error here comes from the URL or the server, for example from an option that libpq does not accept, and is
        # not a bug. UnicodeError: the host name cannot be looked up. Not `from error`: its text can contain secrets.
        except (psycopg.Error, UnicodeError) as error:
            raise self.unusable(self._hide(_first_line(error))) from None

    def trouble(self, error: Exception) -> str | None:
        """See Database."""
        if not isinstance(error, psycopg.OperationalError) and getattr(error, "sqlstate", None) not in _TROUBLE:
            return None
        return self._hide(_first_line(error))

    def make_room(self, connection: Connection) -> None:
        """See Database."""
        # Not IF NOT EXISTS, which needs the privilege to create a schema even if it exists.
        if not connection.rows("SELECT 1 FROM pg_namespace WHERE nspname = ?", [SCHEMA]):
            connection.run(f"CREATE SCHEMA {SCHEMA}")

    def announce(self, connection: Connection) -> None:
        """See Database."""
        connection.run(f"NOTIFY {_CHANNEL}")

    def wait_for_change(self, seconds: float) -> bool:
        """See Database."""
        end = time.monotonic() + seconds
        with self._listening:
            try:
                while not self.closing.is_set():
                    if self._listener is None:
                        self._listener = self._connected()
                        self._listener.execute(f"LISTEN {_CHANNEL}".encode())
                        return True  # notifications before LISTEN were not received
                    left = end - time.monotonic()
                    if left <= 0:
                        return False
                    for _ in self._listener.notifies(timeout=min(left, _LOOK_SECONDS), stop_after=1):
                        return True
            except (psycopg.Error, UnicodeError):
                self._hang_up()
                self.closing.wait(max(0.0, end - time.monotonic()))
        return False

    def close(self) -> None:
        """See Database."""
        super().close()
        with self._listening:
            self._hang_up()

    def _connected(self) -> _Connection:
        connection = psycopg.connect(self._conninfo, autocommit=True)
        try:
            connection.execute(_SETTINGS.encode())
        except BaseException:
            connection.close()
            raise
        return connection

    def _hang_up(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


@lru_cache(maxsize=1024)
def _marked(statement: str) -> bytes:
    """The statement with psycopg's marks. Statements here have no other question marks and no percent signs."""
    return statement.replace("?", "%s").encode()
