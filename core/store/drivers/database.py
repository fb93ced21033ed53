"""Connections and transactions, with an abstract method for each difference between the two databases."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeAlias

from core.errors import StoreUnavailable
from core.store.interface import UNUSABLE

Value: TypeAlias = str | int | float | None
Row: TypeAlias = tuple[Any, ...]

# How long a statement waits for another writer before it gives up.
PATIENCE_SECONDS = 5.0
# Parameters in one statement; both databases allow at least 32,766.
_MOST_PARAMETERS = 1000
_LOST = "the connection was lost in the middle of a transaction"


class Connection(Protocol):
    """One connection, used by one thread at a time. Statements mark their parameters with `?`."""

    @property
    def broken(self) -> bool:
        """Whether the connection is unusable."""

    def begin(self, statements: str) -> None:
        """Begin a transaction by the statements of Database.begin_writing or begin_reading.

        Raises the driver's error if a writing transaction cannot write, because the server is read-only.
        """

    def run(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Run a statement and return how many rows it changed."""

    def run_many(self, statement: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run a statement once for each row of parameters."""

    def rows(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """All rows of a query."""

    def pages(self, statement: str, values: Sequence[Value], size: int) -> Iterator[list[Row]]:
        """The rows of a query, at most `size` at a time, so that they are never all in memory."""

    def insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[Value]],
        *,
        alike: Mapping[str, Value] = MappingProxyType({}),
        missing: bool = False,
    ) -> None:
        """Insert many rows by the fastest method of the database.

        alike: more columns, with the value that all rows have. missing: insert only those whose key is not stored yet.
        """

    def close(self) -> None:
        """Close the connection; uncommitted changes are rolled back."""


class Database(ABC):
    """One database: a pool of connections, and transactions on them.

    There is one writer at a time, among all replicas. Writers would wait for each other anyway, because all predictions
    are on the present candle and change the same rows. One writer at a time rules out deadlocks and lost updates.
    """

    errors: ClassVar[type[Exception]]
    # The error of a row whose key is stored already.
    duplicate: ClassVar[type[Exception]]
    begin_writing: ClassVar[str]
    begin_reading: ClassVar[str]
    # For a row that only this process writes.
    begin_writing_apart: ClassVar[str]
    # Whether several servers can use the database at the same time.
    is_shared: ClassVar[bool]
    # The database's clock as an SQL expression: microseconds since 1970, UTC.
    now: ClassVar[str]
    # SQLSTATE codes of errors after which all connections are replaced: open ones lead to a wrong server, such as one
    # that has become a standby, and new ones can lead to the right one.
    moved: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, place: str) -> None:
        """`place`: the name of the database in error messages."""
        self.place = place
        # The collections are changed by atomic operations, so threads need no lock.
        self._idle: list[Connection] = []
        self._in_use: dict[Connection, float] = {}  # with the time at which the transaction began
        self._outdated: set[Connection] = set()  # in use, and to be closed after that
        self.closing = threading.Event()

    @abstractmethod
    def connect(self) -> Connection:
        """Open a new connection."""

    @abstractmethod
    def trouble(self, error: Exception) -> str | None:
        """The text of an error if the database is unreachable, locked, full or denies access; None if it is a bug."""

    @abstractmethod
    def make_room(self, connection: Connection) -> None:
        """Create what the tables need, such as a schema."""

    @abstractmethod
    def check_access(self, connection: Connection, tables: Collection[str]) -> None:
        """Raise the driver's error if one of the tables is locked, or may not be read or extended."""

    @abstractmethod
    def announce(self, connection: Connection) -> None:
        """Notify the other replicas of a changed state, when this transaction is committed."""

    @abstractmethod
    def wait_for_change(self, seconds: float) -> bool:
        """Wait for a notification by `announce`; see `Store.wait_for_change`."""

    @abstractmethod
    def leave_hung(self) -> None:
        """See Store.leave_hung."""

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction with the writer's lock; it is rolled back if the block raises."""
        with self._transaction(self.begin_writing) as connection:
            yield connection

    @contextmanager
    def writing_apart(self) -> Iterator[Connection]:
        """A transaction without the writer's lock. After a crash of the database it may be lost."""
        with self._transaction(self.begin_writing_apart) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction for reading; all its queries see the same snapshot of the database."""
        with self._transaction(self.begin_reading) as connection:
            yield connection

    def close(self) -> None:
        """Close the idle connections now, and each connection in use when its transaction ends."""
        self.closing.set()
        self._close_idle()

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._let_go(self._idle.pop())

    def _replace_all(self) -> None:
        """Close all connections, so that new ones are opened: idle ones now, the others after their transactions."""
        self._outdated.update(tuple(self._in_use))
        self._close_idle()

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Turn errors of the driver into StoreUnavailable, except errors that are bugs, such as a wrong statement."""
        try:
            yield
        except self.errors as error:
            trouble = self.trouble(error)
            if trouble is None:
                raise
            raise self.unusable(trouble) from None  # not `from error`: its text can contain secrets

    def unusable(self, trouble: str) -> StoreUnavailable:
        """The error to raise when the database cannot be used; `trouble` says why."""
        return StoreUnavailable(UNUSABLE, f"{self.place}: {trouble}")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        with self.speaking():
            connection = self._begin(begin)
            try:
                yield connection
                connection.run("COMMIT")
            except BaseException as error:
                if self._has_moved(error):
                    self._replace_all()
                broken = connection.broken
                self._roll_back(connection)
                if broken and self._is_of_loss(error):
                    raise self.unusable(_LOST) from None  # not `from error`: its text can contain secrets
                raise
            self._put_back(connection)

    def _begin(self, begin: str) -> Connection:
        """A connection with an open transaction: an idle one, or a new one if there is none that works."""
        if self.closing.is_set():
            raise StoreUnavailable("the store is closed")
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            self._in_use[connection] = time.monotonic()
            try:
                connection.begin(begin)
            except self.errors as error:
                replaceable = connection.broken or self._has_moved(error)
                self._give_up(connection, error)
                if not replaceable:
                    raise
            else:
                return connection
        connection = self.connect()
        self._in_use[connection] = time.monotonic()
        try:
            connection.begin(begin)
        except BaseException as error:
            self._give_up(connection, error)
            raise
        return connection

    def _is_of_loss(self, error: BaseException) -> bool:
        """Whether an error can come from a connection that was lost, although it looks like a bug."""
        # psycopg expects one result of a statement. A pooler whose server has gone sends two errors, and psycopg then
        # raises an InternalError, a ProgrammingError, or at the end of a COPY the ValueError of an assignment.
        return isinstance(error, (self.errors, ValueError)) and self.trouble(error) is None

    def _give_up(self, connection: Connection, error: BaseException) -> None:
        """Close a connection after an error, and all others too if the error says that they lead to a wrong server."""
        self._let_go(connection)
        if self._has_moved(error):
            self._replace_all()

    def _has_moved(self, error: BaseException) -> bool:
        return getattr(error, "sqlstate", None) in self.moved

    def _roll_back(self, connection: Connection) -> None:
        try:
            connection.run("ROLLBACK")
        except self.errors:  # the connection is broken, or the database has rolled back already
            self._let_go(connection)
        else:
            self._put_back(connection)

    def _let_go(self, connection: Connection) -> None:
        self._in_use.pop(connection, None)
        self._outdated.discard(connection)
        connection.close()

    def _put_back(self, connection: Connection) -> None:
        if connection in self._outdated:
            self._let_go(connection)
            return
        self._in_use.pop(connection, None)
        self._idle.append(connection)
        if self.closing.is_set():
            self._close_idle()


def among(connection: Connection, query: str, values: Sequence[Value], wanted: Sequence[str]) -> Iterator[Row]:
    """The rows of a query that ends in `IN`, for any number of wanted values."""
    for start in range(0, len(wanted), _MOST_PARAMETERS):
        part = wanted[start : start + _MOST_PARAMETERS]
        yield from connection.rows(f"{query} ({', '.join('?' * len(part))})", [*values, *part])
