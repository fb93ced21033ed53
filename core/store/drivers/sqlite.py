"""SQLite: one file, one machine, one keeper."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from core.store.drivers.database import PATIENCE_SECONDS, Connection, Database, Row, Value

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.005
# Primary result codes, https://www.sqlite.org/rescode.html: those that are not about our SQL.
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

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
        """See Connection."""
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608 - names of ours

    def close(self) -> None:
        """See Connection."""
        self._connection.close()


class SqliteDatabase(Database):
    """A file in WAL mode: readers see the last commit and wait for nobody. Commits survive a power cut."""

    errors = sqlite3.Error
    # Not plain BEGIN: a transaction that reads first and writes later may find that it cannot.
    begin_writing = "BEGIN IMMEDIATE"
    begin_reading = "BEGIN"

    def __init__(self, path: Path) -> None:
        """Make the folder; set aside a file that is no database. Raises StoreUnavailable."""
        super().__init__(f"state file {path}")
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Before SQLite sees it, for that would tidy the log beside it away.
            if path.is_file() and not _may_be_database(path):
                self._set_aside("file is not a database")
        except OSError as error:
            raise self.unusable(f"out of reach: {error.strerror}") from error
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
        # Whichever thread takes it from the pool has it alone.
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

    def announce(self, connection: Connection) -> None:
        """See Database: a file has one keeper, and there is nobody else to tell."""

    def wait_for_change(self, seconds: float) -> bool:
        """See Database."""
        self.closing.wait(seconds)
        return False

    def _begun(self, begin: str) -> Connection:
        """See Database. What is written to a file that is gone or cut off is lost, and SQLite does not look.

        Before a connection is made: that would begin a new file where there is none.
        """
        found = self._looked()
        if self._identity != (found.st_dev, found.st_ino):
            raise self.unusable("it was replaced: put the one that was opened back, or start again")
        connection = super()._begun(begin)
        try:
            self._check_whole(connection, writing=begin == self.begin_writing)
        except BaseException:
            self._roll_back(connection)
            raise
        return connection

    def _check_whole(self, connection: Connection, *, writing: bool) -> None:
        """Raise StoreUnavailable where a file has become shorter than it can be.

        Pages that SQLite's log still has may never have been in the file. Those that were once, and still are of the
        database, stay there: only VACUUM takes them away, and what it leaves is known before the file is shortened.
        The one who writes takes note of that, as nobody else can in the meantime.
        """
        size = self._looked().st_size  # before what is to be in it, which a writer may just add to
        ((pages,),) = connection.rows("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        whole = min(self._whole, pages)
        if size < whole and (now := self._looked().st_size) < whole:  # or it has grown since, in another thread
            raise self.unusable(f"it was cut off: it has {now} bytes, and at least {whole} were there")
        if writing:
            self._whole = min(size, pages)

    def _looked(self) -> os.stat_result:
        try:
            return self._path.stat()
        except OSError as error:
            raise self.unusable(f"out of reach: {error.strerror}") from error

    def _make(self) -> None:
        """Make a file that others cannot read, as the user key will be in it; SQLite gives its companions its mode.

        One that is there is not even opened: closing it again would drop the locks that SQLite has on it.
        """
        try:
            with suppress(FileExistsError):
                target = os.path.realpath(self._path)  # of a link that leads to no file yet
                os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise self.unusable(f"cannot be made: {error.strerror}") from error

    def _probe(self) -> None:
        connection = self.connect()
        try:
            # The beginning of every table: to read all of it would take minutes.
            for (table,) in connection.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
                connection.rows(f"SELECT * FROM {table} LIMIT 1")  # noqa: S608 - names of ours
        finally:
            connection.close()

    def _set_aside(self, error: str) -> None:
        """Rename the file and its companions: what is in them may still be worth something to somebody."""
        aside = f"{self._path}.unreadable-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        try:
            for suffix in ("", "-wal", "-shm"):
                if (file := Path(f"{self._path}{suffix}")).exists():
                    file.rename(f"{aside}{suffix}")
        except OSError as refused:
            raise self.unusable(f"{error}, and it cannot be set aside: {refused.strerror}") from refused
        log.error("%s: %s; it is set aside as %s, and a new one is begun", self.place, error, aside)


def _use_wal(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for this one: whoever else makes the same new file at this moment has it locked."""
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


def _may_be_database(path: Path) -> bool:
    """Whether a file is empty, as a new one is, or begins as https://www.sqlite.org/fileformat.html says."""
    with path.open("rb") as file:
        return file.read(16) in (b"", b"SQLite format 3\0")


def _code(error: Exception) -> int | None:
    """The primary result code; null for errors of the Python module itself."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
