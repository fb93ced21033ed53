"""The PostgreSQL driver, for several machines, each with a keeper.

A connection pooler such as PgBouncer can be between this driver and the server. In transaction mode, each transaction
can be on another session of the server, which other applications use before and after it. So nothing here outlives its
transaction: settings are SET LOCAL, and statements are not prepared. LISTEN would stay in the session of another
application, so changes of other replicas are found by polling.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from contextlib import closing

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo, timeout_from_conninfo

from core.log_event import LogEvent
from core.store.drivers.database import PATIENCE_SECONDS, Connection, Database
from core.store.drivers.postgres_connection import PostgresConnection
from core.store.drivers.postgres_listener import CHANNEL, POLL_SECONDS, Listener
from core.store.drivers.postgres_places import Place, accepting, places
from core.store.drivers.postgres_url import hiding, identity, options
from core.store.interface import StoreUnsuitable

log = logging.getLogger(__name__)

# The tables are in a schema of their own, because other applications in a shared database can have a table `users` too.
SCHEMA = "reversal"
# The key of the writer's advisory lock. Any number that no other application uses in the same database would do.
_WRITER = 0x72657665727361

# How long the network may pass on nothing until a connection is given up, on this side and on that of the server. TCP's
# defaults take many minutes, and after a network that is back they wait about as long again as it was away.
_AWAY_SECONDS = 3
# With these, a server that has vanished is noticed.
_DEFAULTS: dict[str, str | int | None] = {
    "connect_timeout": 3,
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": _AWAY_SECONDS - 1,
    "tcp_user_timeout": 1000 * _AWAY_SECONDS,
    "application_name": "reversal",
    # Text arrives as text from a database of every encoding, also of SQL_ASCII, which initdb chooses without a locale.
    "client_encoding": "UTF8",
    # Of several hosts or addresses, the primary.
    "target_session_attrs": "read-write",
}
_SETTINGS = (
    # pg_temp is last, because other applications that share the session of a pooler can have temporary tables in it.
    f"SET LOCAL search_path TO {SCHEMA}, pg_temp; SET LOCAL lock_timeout TO '{PATIENCE_SECONDS}s'; "
    # A replica that stops or is cut off in the middle of a transaction must not keep the others from writing. In the
    # middle of a COPY it does not count as idle; so the server's side of the connection also has TCP's limits.
    "SET LOCAL idle_in_transaction_session_timeout TO '10s'; "
    "SET LOCAL tcp_keepalives_idle TO 1; SET LOCAL tcp_keepalives_interval TO 1; "
    f"SET LOCAL tcp_keepalives_count TO {_AWAY_SECONDS - 1}; SET LOCAL tcp_user_timeout TO '{_AWAY_SECONDS}s'; "
    # All queries here are by key, and the pages of an export come in the order of an index. While the planner has no
    # statistics of a new table or experiment, it would sort or scan the whole experiment for each page.
    "SET LOCAL enable_sort TO off; SET LOCAL enable_bitmapscan TO off; SET LOCAL enable_material TO off"
)
# Tables, and whether the role may read and extend them. The row of the table `state` is only updated.
_PRIVILEGES = f"""
    SELECT relname, has_table_privilege(oid, 'SELECT')
        AND has_table_privilege(oid, CASE relname WHEN 'state' THEN 'UPDATE' ELSE 'INSERT' END)
    FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = '{SCHEMA}') AND relkind = 'r'"""  # noqa: S608 - a constant
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

# A transaction of this length can be one whose server does not answer any more.
HUNG_SECONDS = 3.0

# The number of times that a statement runs before it is prepared; psycopg's default. With prepared statements, a drain
# takes a quarter of the time.
_PREPARE_THRESHOLD = 5


class PostgresDatabase(Database):
    """A database on a server. A broken connection is replaced at the next transaction."""

    errors = psycopg.Error
    duplicate = psycopg.errors.UniqueViolation
    moved = frozenset({_READ_ONLY, *_POOLED})
    # The isolation level is named, because another one could be the default of the database. With it, the snapshot
    # would be from before the lock.
    begin_writing = (
        f"BEGIN ISOLATION LEVEL READ COMMITTED; {_SETTINGS}; "
        f"SELECT current_setting('transaction_read_only'), pg_advisory_xact_lock({_WRITER})"
    )
    begin_writing_apart = (
        f"BEGIN ISOLATION LEVEL READ COMMITTED; {_SETTINGS}; SET LOCAL synchronous_commit TO off; "
        "SELECT current_setting('transaction_read_only')"
    )
    is_shared = True
    now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
    begin_reading = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_SETTINGS}"

    def __init__(self, url: str) -> None:
        """Raises ValueError for an invalid URL; the message quotes nothing of it."""
        super().__init__(f"the PostgreSQL database {identity(url)}")
        self._hide = hiding(url)
        self._conninfo = make_conninfo("", **_DEFAULTS | options(url))
        self._pooled = False
        self._last: Place | None = None  # that of the last connection
        self._listener = Listener(self._connected, self.closing, lambda: self._pooled)

    def connect(self) -> PostgresConnection:
        """See Database."""
        try:
            return self._connected()
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

    def check_access(self, connection: Connection, tables: Collection[str]) -> None:
        """See Database."""
        for table, allowed in connection.rows(_PRIVILEGES):
            if table in tables and not allowed:
                raise psycopg.errors.InsufficientPrivilege(f"permission denied for table {table}")
        # The lock that every write takes.
        connection.run(f"LOCK TABLE {', '.join(tables)} IN ROW EXCLUSIVE MODE")

    def announce(self, connection: Connection) -> None:
        """See Database."""
        connection.run(f"NOTIFY {CHANNEL}")

    def wait_for_change(self, seconds: float) -> bool:
        """See Database."""
        return self._listener.wait(seconds)

    def leave_hung(self) -> None:
        """See Database."""
        before = time.monotonic() - HUNG_SECONDS
        waiting = {connection for connection, since in tuple(self._in_use.items()) if since < before}
        hung = {each for each in waiting if isinstance(each, PostgresConnection)}
        hung |= self._listener.waiting_since(before)
        if not hung:
            return
        try:
            new = self._connected()
        except (psycopg.Error, UnicodeError):
            return
        new.close()
        elsewhere = [connection for connection in hung if connection.place != new.place]
        if elsewhere:
            self._replace_all()
        for connection in elsewhere:
            connection.interrupt()

    def close(self) -> None:
        """See Database."""
        super().close()
        self._listener.close()

    def _connected(self) -> PostgresConnection:
        options = conninfo_to_dict(self._conninfo)
        named = sorted(places(options), key=lambda place: place != self._last)
        failed: list[str] = []
        try:
            with closing(accepting(named, timeout_from_conninfo(options))) as found:
                for place in found:
                    try:
                        connection = self._opened(place.options)
                    except psycopg.OperationalError as error:  # for example, because it is a standby
                        failed.append(_first_line(error))
                    else:
                        self._last = place
                        return connection
        except OSError as error:  # for example, because this process has too many open files
            failed.append(error.strerror or type(error).__name__)
        if failed:  # each of them, because a wrong password at the primary would be hidden by what a standby says
            raise psycopg.OperationalError("; ".join(failed))
        return self._opened({})

    def _opened(self, place: Mapping[str, str | int]) -> PostgresConnection:
        conninfo = make_conninfo(self._conninfo, **place)
        connection = psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)
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
        return PostgresConnection(connection)

    def _note_pooler(self) -> None:
        if not self._pooled:
            self._pooled = True
            effect = f"changes of other machines are found within {POLL_SECONDS:g} s instead of immediately"
            log.info(LogEvent("store_pooled", effect=effect))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
