"""Connections and transactions, and the few things in which the two databases differ."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol, TypeAlias

from core.errors import StoreUnavailable
from core.store.interface import UNUSABLE

Value: TypeAlias = str | int | float | None
Row: TypeAlias = tuple[Any, ...]

# How long a statement waits for another writer before it gives up.
PATIENCE_SECONDS = 5.0
# Parameters in one statement: both databases allow at least 32,766.
_MOST_PARAMETERS = 1000


class Connection(Protocol):
    """One connection, used by one thread at a time. Statements mark their parameters by `?`."""

    @property
    def broken(self) -> bool:
        """Whether nothing can be done with it any more."""

    def run(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Run a statement; how many rows it touched."""

    def run_many(self, statement: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run a statement once for each row of parameters."""

    def rows(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """All rows of a query."""

    def pages(self, statement: str, values: Sequence[Value], size: int) -> Iterator[list[Row]]:
        """The rows of a query, at most `size` at a time, so that they are never all in memory."""

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
        """Insert many rows, all of them new, the fastest way there is."""

    def close(self) -> None:
        """End the connection; what was not committed is undone."""


class Database(ABC):
    """One database: a pool of connections, and transactions on them.

    There is one writer at a time, among all replicas: they would meet on the same rows anyway (everybody predicts on
    the present candle), and where writers never overlap there are neither deadlocks nor lost updates to think of.
    """

    errors: ClassVar[type[Exception]]
    begin_writing: ClassVar[str]
    begin_reading: ClassVar[str]

    def __init__(self, place: str) -> None:
        """`place`: what it is called in sentences for the log."""
        self.place = place
        self._idle: list[Connection] = []
        self.closing = threading.Event()

    @abstractmethod
    def connect(self) -> Connection:
        """A new connection."""

    @abstractmethod
    def trouble(self, error: Exception) -> str | None:
        """What an error says that tells of a database that is gone, locked, full or closed to us; null for mistakes."""

    @abstractmethod
    def make_room(self, connection: Connection) -> None:
        """Make what must be there before the first table."""

    @abstractmethod
    def announce(self, connection: Connection) -> None:
        """Tell the other replicas, once this transaction is committed, that the state has changed."""

    @abstractmethod
    def wait_for_change(self, seconds: float) -> bool:
        """Wait for what `announce` tells; see `Store.wait_for_change`."""

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction with the writer's lock; rolled back when the block raises."""
        with self._transaction(self.begin_writing) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction whose queries all see the same moment."""
        with self._transaction(self.begin_reading) as connection:
            yield connection

    def close(self) -> None:
        """End the idle connections, and those in use as soon as they come back."""
        self.closing.set()
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Turn errors of the driver into StoreUnavailable, where they are none of ours."""
        try:
            yield
        except self.errors as error:
            trouble = self.trouble(error)
            if trouble is None:
                raise
            raise self.unusable(trouble) from None  # whose words are in it, but for secrets

    def unusable(self, trouble: str) -> StoreUnavailable:
        """The error for what is wrong with the database."""
        return StoreUnavailable(UNUSABLE, f"{self.place}: {trouble}")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        with self.speaking():
            connection = self._begun(begin)
            try:
                yield connection
                connection.run("COMMIT")
            except BaseException:
                self._roll_back(connection)
                raise
            self._put_back(connection)

    def _begun(self, begin: str) -> Connection:
        """A connection with a transaction begun: an idle one, or a new one where the server has dropped those."""
        if self.closing.is_set():
            raise StoreUnavailable("the store is closed")
        while True:
            try:
                connection = self._idle.pop()  # atomic: threads need no lock for it
            except IndexError:
                break
            try:
                connection.run(begin)
            except self.errors:
                broken = connection.broken
                connection.close()
                if not broken:
                    raise
            else:
                return connection
        connection = self.connect()
        try:
            connection.run(begin)
        except BaseException:
            connection.close()
            raise
        return connection

    def _roll_back(self, connection: Connection) -> None:
        try:
            connection.run("ROLLBACK")
        except self.errors:  # broken, or rolled back by the database itself
            connection.close()
        else:
            self._put_back(connection)

    def _put_back(self, connection: Connection) -> None:
        self._idle.append(connection)
        if self.closing.is_set():
            self.close()


def among(connection: Connection, query: str, values: Sequence[Value], wanted: Sequence[str]) -> Iterator[Row]:
    """Rows of a query that ends in `IN`, over as many wanted values as one likes."""
    for start in range(0, len(wanted), _MOST_PARAMETERS):
        part = wanted[start : start + _MOST_PARAMETERS]
        yield from connection.rows(f"{query} ({', '.join('?' * len(part))})", [*values, *part])
