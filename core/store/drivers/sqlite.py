"""The SQLite driver, for one machine with one keeper; the state is one file."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from core.log_event import LogEvent
from core.store.drivers.database import PATIENCE_SECONDS, Connection, Database, Row, Value

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.005
# Rows that one statement inserts; a hundred take half the time of as many statements, and more save nothing.
_TOGETHER = (100, 10, 1)
# Primary result codes of errors that are not bugs in the SQL here, see https://www.sqlite.org/rescode.html.
_UNREADABLE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_TROUBLE = _UNREADABLE | {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}


class SqliteConnection:
    """A connection to a file."""

    broken = False

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def begin(self, statements: str) -> None:
        """See Connection."""
        self._connection.execute(statements)

    def run(self, statement: str, values: Sequence[Value] = ()) -> int:
        """See Connection."""
        return self._connection.execute(statement, values).rowcount

    def run_many(self, statement: str, rows: Sequence[Sequence[Value]]) -> None:
        """See Connection."""
        self._connection.executemany(statement, rows)

    def rows(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """See Connection."""
        return self._connection.execute(statement, values).fetchall()

    def pages(self, statement: str, values: Sequence[Value], size: int) -> Iterator[list[Row]]:
        """See Connection."""
        cursor = self._connection.execute(statement, values)
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
        left, names, shared = [*rows], (*alike, *columns), (*alike.values(),)
        for size in _TOGETHER:
            statement = _inserting(table, names, len(alike), size, missing=missing)
            for start in range(0, len(left) - size + 1, size):
                self._connection.execute(statement, [*shared, *chain.from_iterable(left[start : start + size])])
            left = left[len(left) - len(left) % size :]

    def close(self) -> None:
        """See Connection."""
        self._connection.close()


class SqliteDatabase(Database):
    """A file in WAL mode: readers see the last commit and never wait. Commits survive a power cut."""

    errors = sqlite3.Error
    duplicate = sqlite3.IntegrityError
    # Not plain BEGIN, with which a transaction that reads first can fail when it writes.
    begin_writing = "BEGIN IMMEDIATE"
    begin_reading = "BEGIN"
    begin_writing_apart = begin_writing  # a file has one writer
    is_shared = False
    now = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"

    def __init__(self, path: Path) -> None:
        """Create the folder, and rename a file that is not a readable database. Raises StoreUnavailable."""
        super().__init__(f"state file {path}")
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Checked before SQLite opens the file, because SQLite would delete the write-ahead log beside it.
            if path.is_file() and not _may_be_database(path):
                self._set_aside("file is not a database")
        except OSError as error:
            raise self.unusable(f"not accessible: {error.strerror}") from error
        with self.speaking():
            try:
                self._probe()
            except sqlite3.DatabaseError as error:
                if _code(error) not in _UNREADABLE:
                    raise
                self._set_aside(str(error))
                self._probe()
        found = self._looked()
        self._identity = found.st_dev, found.st_ino
        self._whole = 0

    def connect(self) -> SqliteConnection:
        """See Database."""
        self._make()
        # A connection moves between threads, but only the thread that took it from the pool uses it.
        connection = sqlite3.connect(
            self._path, timeout=PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _use_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return SqliteConnection(connection)

    def trouble(self, error: Exception) -> str | None:
        """See Database."""
        return str(error) if _code(error) in _TROUBLE else None

    def make_room(self, connection: Connection) -> None:
        """See Database."""

    def check_access(self, connection: Connection, tables: Collection[str]) -> None:
        """See Database. A file has no roles."""

    def announce(self, connection: Connection) -> None:
        """See Database. A file has one keeper, so there is no other process to notify."""

    def wait_for_change(self, seconds: float) -> bool:
        """See Database."""
        self.closing.wait(seconds)
        return False

    def leave_hung(self) -> None:
        """See Database. There is only one file."""

    def _begin(self, begin: str) -> Connection:
        """See Database. Raises StoreUnavailable if the file was removed, replaced or truncated.

        SQLite itself does not check that, and writes to such a file would be lost. The check is made before a
        connection is opened, because that would create a new file if there is none.
        """
        found = self._looked()
        if self._identity != (found.st_dev, found.st_ino):
            raise self.unusable("the file was replaced; restore the original file, or restart the server")
        connection = super()._begin(begin)
        try:
            self._check_whole(connection, writing=begin == self.begin_writing)
        except BaseException:
            self._roll_back(connection)
            raise
        return connection

    def _check_whole(self, connection: Connection, *, writing: bool) -> None:
        """Raise StoreUnavailable if the file is shorter than it can be.

        Pages in SQLite's write-ahead log are possibly not in the file yet. But a page that was in the file stays there
        as long as it belongs to the database. Only VACUUM removes pages, and the new page count is visible before the
        file is shortened. So an intact file has at least the noted length, or that of the database if it is less.
        Only a writer notes the length, because no other connection changes the database during its transaction.
        """
        size = self._looked().st_size  # read before the page count, because another thread can add pages in between
        ((pages,),) = connection.rows("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        whole = min(self._whole, pages)
        if size < whole and (now := self._looked().st_size) < whole:  # read again: another thread can have extended it
            raise self.unusable(f"the file was truncated: it has {now} bytes, expected at least {whole}")
        if writing:
            self._whole = min(size, pages)

    def _looked(self) -> os.stat_result:
        try:
            return self._path.stat()
        except OSError as error:
            raise self.unusable(f"not accessible: {error.strerror}") from error

    def _make(self) -> None:
        """Create the file if there is none, readable only by its owner, because it will contain the user key.

        SQLite gives the files beside it the same mode. An existing file is not opened, because closing it would release
        the locks that SQLite holds on it.
        """
        try:
            with suppress(FileExistsError):
                target = os.path.realpath(self._path)  # because O_EXCL does not follow a symbolic link
                os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise self.unusable(f"cannot be created: {error.strerror}") from error

    def _probe(self) -> None:
        connection = self.connect()
        try:
            _read_beginnings(connection)
        finally:
            connection.close()

    def _set_aside(self, error: str) -> None:
        """Rename the file and SQLite's files beside it, so that an operator can recover data from them."""
        aside = f"{self._path}.unreadable-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        try:
            for suffix in ("", "-wal", "-shm"):
                if (file := Path(f"{self._path}{suffix}")).exists():
                    file.rename(f"{aside}{suffix}")
        except OSError as refused:
            raise self.unusable(f"{error}, and it cannot be renamed: {refused.strerror}") from refused
        log.error(
            LogEvent(
                "state_file_unreadable",
                path=self._path,
                error=error,
                renamed_to=aside,
                effect="the server uses a new, empty state file",
            )
        )


def unreadable(path: Path) -> str | None:
    """Why a server would rename this file and begin with an empty one; None if it would not. Changes nothing."""
    if path.is_file() and not _may_be_database(path):
        return "file is not a database"
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        connection = SqliteConnection(sqlite3.connect(uri, uri=True, timeout=PATIENCE_SECONDS))
        try:
            _read_beginnings(connection)
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        return str(error) if _code(error) in _UNREADABLE else None
    return None


def _read_beginnings(connection: SqliteConnection) -> None:
    """Read only the beginning of each table, because reading all of it would take minutes."""
    for (table,) in connection.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
        connection.rows(f"SELECT * FROM {table} LIMIT 1")  # noqa: S608 - the database's own table names


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL mode, waiting for a lock.

    SQLite does not wait for this statement, and another process that creates the same file can hold the lock.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_LOOK_SECONDS)
        else:
            return


@lru_cache(maxsize=32)
def _inserting(table: str, columns: Sequence[str], alike: int, rows: int, *, missing: bool) -> str:
    """The statement for so many rows. The parameters of the first `alike` columns are the same for each of them."""
    first, own = alike + 1, len(columns) - alike
    each = ((*range(1, first), *range(first + own * row, first + own * (row + 1))) for row in range(rows))
    values = ", ".join(f"({', '.join(f'?{number}' for number in numbers)})" for numbers in each)
    conflict = " ON CONFLICT DO NOTHING" if missing else ""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values}{conflict}"  # noqa: S608 - constants


def _may_be_database(path: Path) -> bool:
    """Whether a file is empty, as a new one is, or begins with the header of https://www.sqlite.org/fileformat.html."""
    with path.open("rb") as file:
        return file.read(16) in (b"", b"SQLite format 3\0")


def _code(error: Exception) -> int | None:
    """The primary result code; None for errors of the Python module itself."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
