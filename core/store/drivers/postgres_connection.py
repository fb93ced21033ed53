"""One connection to a PostgreSQL server."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeAlias

import psycopg

from core.store.drivers.database import Row, Value

Driver: TypeAlias = psycopg.Connection[tuple[Any, ...]]

# psycopg warns of errors that follow the one it raises, such as that of a COPY on a connection that is lost. Only the
# first one is of use, and a driver's text can contain secrets.
logging.getLogger("psycopg").setLevel(logging.ERROR)


class PostgresConnection:
    """A connection to a server. See Connection.

    place: host, address and port of the server, one of those that the URL names.
    """

    def __init__(self, connection: Driver) -> None:
        self.driver = connection
        self.place = connection.info.host, connection.info.hostaddr, connection.info.port

    @property
    def broken(self) -> bool:
        """See Connection."""
        return self.driver.closed

    def begin(self, statements: str) -> None:
        """See Connection."""
        cursor = self.driver.execute(statements.encode())
        while cursor.nextset():
            pass
        if cursor.description is not None and cursor.fetchall()[0][0] == "on":
            raise psycopg.errors.ReadOnlySqlTransaction("the server is read-only")

    def run(self, statement: str, values: Sequence[Value] = ()) -> int:
        """See Connection."""
        # None instead of an empty sequence: only without parameters can the text consist of several statements.
        return self.driver.execute(_marked(statement), values or None).rowcount

    def run_many(self, statement: str, rows: Sequence[Sequence[Value]]) -> None:
        """See Connection."""
        with self.driver.cursor() as cursor:
            cursor.executemany(_marked(statement), rows)

    def rows(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """See Connection."""
        return self.driver.execute(_marked(statement), values or None).fetchall()

    def pages(self, statement: str, values: Sequence[Value], size: int) -> Iterator[list[Row]]:
        """See Connection."""
        # A named cursor is on the server; any other cursor would fetch all rows before the first page.
        with self.driver.cursor("pages") as cursor:
            cursor.execute(_marked(statement), values or None)
            while page := cursor.fetchmany(size):
                yield page

    def insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[Value]],
        *,
        alike: Mapping[str, Value] = MappingProxyType({}),
        missing: bool = False,
    ) -> None:
        """See Connection."""
        names, shared = (*alike, *columns), (*alike.values(),)
        every = ((*shared, *row) for row in rows)
        if missing:  # COPY has no ON CONFLICT
            marks = ", ".join("?" * len(names))
            statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608 - constants
            self.run_many(statement, [*every])
            return
        statement = f"COPY {table} ({', '.join(names)}) FROM STDIN"
        with self.driver.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for row in every:
                copy.write_row(row)

    def interrupt(self) -> None:
        """Break the connection, so that the call of another thread that waits for the server fails.

        Only that thread may close it, because its call still uses it.
        """
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.driver.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """See Connection."""
        self.driver.close()


@lru_cache(maxsize=1024)
def _marked(statement: str) -> bytes:
    """The statement with psycopg's marks. Statements here have no other question marks and no percent signs."""
    return statement.replace("?", "%s").encode()
