"""The PostgreSQL driver, for several machines, each with a keeper.

A connection pooler such as PgBouncer can be between this driver and the server. In transaction mode, each transaction
can be on another session of the server, which other applications use before and after it. So nothing here outlives its
transaction: settings are SET LOCAL, and statements are not prepared. LISTEN would stay in the session of another
application, so changes of other replicas are found by polling.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import psycopg
from psycopg.conninfo import make_conninfo

from core.log_event import LogEvent
from core.store.drivers.database import PATIENCE_SECONDS, Connection, Database, Row, Value
from core.store.drivers.postgres_url import hiding, identity, options
from core.store.interface import StoreUnsuitable

log = logging.getLogger(__name__)

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
    # Of several hosts or addresses, the primary.
    "target_session_attrs": "read-write",
}
_SETTINGS = (
    # pg_temp is last, because other applications that share the session of a pooler can have temporary tables in it.
    f"SET LOCAL search_path TO {SCHEMA}, pg_temp; SET LOCAL lock_timeout TO '{PATIENCE_SECONDS}s'; "
    # A replica that stops in the middle of a transaction must not keep the others from writing.
    "SET LOCAL idle_in_transaction_session_timeout TO '10s'; "
    # All queries here are by key, and the pages of an export come in the order of an index. While the planner has no
    # statistics of a new table or experiment, it would sort or scan the whole experiment for each page.
    "SET LOCAL enable_sort TO off; SET LOCAL enable_bitmapscan TO off; SET LOCAL enable_material TO off"
)
# Tables that the role may not read or extend. The row of the table `state` is only updated.
_DENIED = f"""
    SELECT relname FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = '{SCHEMA}')
    AND relkind = 'r' AND NOT (has_table_privilege(oid, 'SELECT')
        AND (relname = 'state' OR has_table_privilege(oid, 'INSERT')))
    ORDER BY relname LIMIT 1"""  # noqa: S608 - a constant
# SQLSTATE of a write on a standby or on a server that was made read-only.
_READ_ONLY = "25006"
# SQLSTATE codes of a prepared statement that the session does not have, or has already. Statements are prepared only
# without a pooler, so these are the signs of a pooler that hides itself.
_POOLED = {"26000", "42P05"}
# SQLSTATE codes of errors that are neither a psycopg.OperationalError nor a bug: those above; a transaction that was
# idle for too long; a role without the necessary privilege, also on the schema.
_TROUBLE = {_READ_ONLY, *_POOLED, "25P03", "42501", "3F000"}
# PgBouncer's words; the SQLSTATE stands for many other errors too.
_STATEMENT_MODE = "statement pooling mode"

# The number of times that a statement runs before it is prepared; psycopg's default. With prepared statements, a drain
# takes a quarter of the time.
_PREPARE_THRESHOLD = 5

# Without notifications, the interval at which the state is read.
POLL_SECONDS = 1.0
# The interval at which the listener checks that its server still takes writes.
CHECK_SECONDS = 2.0

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

    def begin(self, statements: str) -> None:
        """See Connection."""
        cursor = self._connection.execute(statements.encode())
        while cursor.nextset():
            pass
        if cursor.description is not None and cursor.fetchall()[0][0] == "on":
            raise psycopg.errors.ReadOnlySqlTransaction("the server is read-only")

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
    moved = frozenset({_READ_ONLY, *_POOLED})
    # The isolation level is named, because another one could be the default of the database. With it, the snapshot
    # would be from before the lock.
    begin_writing = (
        f"BEGIN ISOLATION LEVEL READ COMMITTED; {_SETTINGS}; "
        f"SELECT current_setting('transaction_read_only'), pg_advisory_xact_lock({_WRITER})"
    )
    begin_reading = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_SETTINGS}"

    def __init__(self, url: str) -> None:
        """Raises ValueError for an invalid URL; the message quotes nothing of it."""
        super().__init__(f"the PostgreSQL database {identity(url)}")
        self._hide = hiding(url)
        self._conninfo = make_conninfo("", **_DEFAULTS | options(url))
        self._listening = threading.Lock()
        self._listener: _Connection | None = None
        self._check_at = 0.0
        self._pooled = False

    def connect(self) -> PostgresConnection:
        """See Database."""
        try:
            return PostgresConnection(self._connected())
        # Any error here comes from the URL or the server, for example from an option that libpq does not accept, and is
        # not a bug. UnicodeError: the host name cannot be looked up. Not `from error`: its text can contain secrets.
        except (psycopg.Error, UnicodeError) as error:
            raise self.unusable(self._hide(_first_line(error))) from None

    def trouble(self, error: Exception) -> str | None:
        """See Database. Raises StoreUnsuitable if a pooler does not allow transactions."""
        code = getattr(error, "sqlstate", None)
        if not isinstance(error, psycopg.OperationalError) and code not in _TROUBLE:
            return None
        if _STATEMENT_MODE in str(error):
            action = "set pool_mode = transaction (or session) in PgBouncer for this database, or connect directly"
            raise StoreUnsuitable(
                f"{self.place}: a connection pooler in statement mode allows no transactions; {action}"
            )
        if code in _POOLED:
            self._note_pooler()
        return self._hide(_first_line(error))

    def make_room(self, connection: Connection) -> None:
        """See Database."""
        # Not IF NOT EXISTS, which needs the privilege to create a schema even if it exists.
        if not connection.rows("SELECT 1 FROM pg_namespace WHERE nspname = ?", [SCHEMA]):
            connection.run(f"CREATE SCHEMA {SCHEMA}")

    def check_access(self, connection: Connection) -> None:
        """See Database."""
        for (table,) in connection.rows(_DENIED):
            raise psycopg.errors.InsufficientPrivilege(f"permission denied for table {table}")

    def announce(self, connection: Connection) -> None:
        """See Database."""
        connection.run(f"NOTIFY {_CHANNEL}")

    def wait_for_change(self, seconds: float) -> bool:
        """See Database."""
        end = time.monotonic() + seconds
        with self._listening:
            try:
                while not self.closing.is_set():
                    if self._pooled:
                        self._hang_up()
                        return not self.closing.wait(min(seconds, POLL_SECONDS))
                    if self._listener is None:
                        if self._listen():
                            return True  # notifications before LISTEN were not received
                        continue
                    left = end - time.monotonic()
                    if left <= 0:
                        return False
                    if not self._is_on_primary():
                        self._hang_up()
                        continue
                    for _ in self._listener.notifies(timeout=min(left, _LOOK_SECONDS), stop_after=1):
                        return True
            except (psycopg.Error, UnicodeError):
                self._hang_up()
                self.closing.wait(max(0.0, min(end - time.monotonic(), POLL_SECONDS)))
        return False

    def close(self) -> None:
        """See Database."""
        super().close()
        with self._listening:
            self._hang_up()

    def _connected(self) -> _Connection:
        connection = psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=None)
        try:
            ((process,),) = connection.execute("SELECT pg_backend_pid()").fetchall()
        except BaseException:
            connection.close()
            raise
        # A pooler names a process of its own at login, because there is no session of the server yet.
        if process != connection.info.backend_pid:
            self._note_pooler()
        elif not self._pooled:
            connection.prepare_threshold = _PREPARE_THRESHOLD
        return connection

    def _note_pooler(self) -> None:
        if not self._pooled:
            self._pooled = True
            effect = f"changes of other machines are found within {POLL_SECONDS:g} s instead of immediately"
            log.info(LogEvent("store_pooled", effect=effect))

    def _listen(self) -> bool:
        """Open the listener's connection; returns whether it can listen, which it cannot through a pooler."""
        self._listener = self._connected()
        if self._pooled:
            return False
        self._listener.execute(f"LISTEN {_CHANNEL}".encode())
        self._check_at = time.monotonic() + CHECK_SECONDS
        return True

    def _is_on_primary(self) -> bool:
        """Whether the listener's server still takes writes, by a check at an interval."""
        if self._listener is None or (now := time.monotonic()) < self._check_at:
            return True
        self._check_at = now + CHECK_SECONDS
        return self._listener.execute("SHOW transaction_read_only").fetchall() == [("off",)]

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
