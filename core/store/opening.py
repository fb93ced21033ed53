"""Opening, identifying and reserving the store that a URL names."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from pathlib import Path

from core.errors import StoreUnavailable
from core.files import lock_file
from core.files.lock_file import Held
from core.files.mounts import is_mounted_alone
from core.store.interface import UNUSABLE, StateFileMounted, Store, StoreInUse

_SQLITE = "sqlite"
_POSTGRES = ("postgresql", "postgres")
# A text before :// that does not match can be a part of a password, so it is not quoted.
_SCHEME = re.compile("[a-z][a-z0-9+.-]{0,20}", re.ASCII | re.IGNORECASE)
_EXPECTED = "expected sqlite:///path/of/state.db (four slashes: an absolute path) or postgresql://user@host/database"


def check_url(url: str) -> None:
    """Raise ValueError if the URL names no store.

    The message quotes only the scheme of the URL, because the rest can contain a password.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        raise ValueError(f"not a URL; {_EXPECTED}")
    if scheme == _SQLITE:
        sqlite_path(url)
    elif scheme in _POSTGRES:
        from core.store.drivers import postgres_url  # noqa: PLC0415 - most installations never need the driver

        postgres_url.identity(url)
    else:
        raise ValueError(f"{scheme!r} is not a supported store; {_EXPECTED}")


def open_store(url: str) -> Store:
    """Open the store of a URL, create it if there is none, and bring its schema up to date.

    `url`: `sqlite:///relative/path.db`, `sqlite:////absolute/path.db`, or a PostgreSQL URL as libpq reads it.
    Open the store after the last fork, because a child process would share its connections.
    Raises ValueError for any other URL, SchemaTooNew, or StoreUnavailable if the database cannot be used now.
    """
    from core.store.relational import open_relational  # noqa: PLC0415 - checking a URL needs no database

    check_url(url)
    if url.startswith(_SQLITE):
        from core.store.drivers.sqlite import SqliteDatabase  # noqa: PLC0415 - a server needs one of the two drivers

        return open_relational(SqliteDatabase(sqlite_path(url)))
    from core.store.drivers.postgres import PostgresDatabase  # noqa: PLC0415 - likewise

    return open_relational(PostgresDatabase(url))


def identity(url: str) -> str:
    """The identity of the store: equal for all URLs that name the same store, and without user and password.

    Raises ValueError as `check_url` does.
    """
    check_url(url)
    if url.startswith(_SQLITE):
        return f"{_SQLITE}://{os.path.realpath(sqlite_path(url))}"
    from core.store.drivers import postgres_url  # noqa: PLC0415 - likewise

    return f"postgresql://{postgres_url.identity(url)}"


def reserve(url: str) -> ExitStack:
    """Reserve a state file for this process, until the returned stack is closed.

    A PostgreSQL database is not reserved, because several servers share it. `open_store` does not reserve either,
    because a backup or a test can read the file of a running server. Reserve after the last fork, because a child
    process would inherit the lock and could outlive this process.
    Raises ValueError as `check_url` does, StoreInUse, StoreUnavailable if the lock file cannot be created now, or
    StateFileMounted: SQLite keeps the last changes in a file beside the state file, which would stay in the container.
    """
    check_url(url)
    held = ExitStack()
    if url.startswith(_SQLITE):
        path = Path(os.path.realpath(sqlite_path(url)))
        if is_mounted_alone(path):
            raise StateFileMounted(
                f"state file {path} is mounted by itself, so the files that SQLite writes beside it would be lost with"
                f" the container; stop every server that uses the file, then mount its folder as {path.parent} instead"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held.callback(os.close, lock_file.take(path.with_name(f"{path.name}.lock")))
        except Held as holder:
            raise StoreInUse(f"state file {path} is in use by process {holder}") from None
        except OSError as error:
            raise StoreUnavailable(UNUSABLE, f"state file {path} cannot be locked: {error.strerror}") from error
    return held


def sqlite_path(url: str) -> Path:
    """The file of an SQLite URL, as an absolute path, so that a later change of the working folder does not matter."""
    path = url.removeprefix(f"{_SQLITE}:///")
    # With :memory: every connection would have its own database. Options after ? are not supported.
    if path in (url, "", ":memory:") or path.endswith("/") or "?" in path:
        raise ValueError(f"this SQLite URL names no file; {_EXPECTED}")
    return Path(path).absolute()
