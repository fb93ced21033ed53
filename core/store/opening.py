"""From a URL to a store."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from pathlib import Path

from core.errors import StoreUnavailable
from core.files import lock_file
from core.files.lock_file import Held
from core.store.interface import UNUSABLE, Store, StoreInUse

_SQLITE = "sqlite"
_POSTGRES = ("postgresql", "postgres")
# Other texts in front of :// may be a part of a password.
_SCHEME = re.compile("[a-z][a-z0-9+.-]{0,20}", re.ASCII | re.IGNORECASE)
_EXPECTED = "expected sqlite:///path/of/state.db (four slashes: an absolute path) or postgresql://user@host/database"


def check_url(url: str) -> None:
    """Raise ValueError, in a sentence that quotes nothing of the URL but its scheme: a password may be in it."""
    scheme, separator, _ = url.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        raise ValueError(f"that is no URL; {_EXPECTED}")
    if scheme == _SQLITE:
        _path(url)
    elif scheme in _POSTGRES:
        from core.store.drivers import postgres_url  # noqa: PLC0415 - most installations never need the driver

        postgres_url.identity(url)
    else:
        raise ValueError(f"{scheme!r} is no kind of store; {_EXPECTED}")


def open_store(url: str) -> Store:
    """Open the store of a URL, make it where there is none yet, and bring its schema up to date.

    `sqlite:///relative/path.db`, `sqlite:////absolute/path.db`, or a PostgreSQL URL as libpq reads it.
    Open it after the last fork: a child would share its connections.
    Raises ValueError for another one, SchemaTooNew, or StoreUnavailable where the database cannot be had now.
    """
    from core.store.relational import open_relational  # noqa: PLC0415 - whoever only checks a URL needs no database

    check_url(url)
    if url.startswith(_SQLITE):
        from core.store.drivers.sqlite import SqliteDatabase  # noqa: PLC0415 - one of the two is enough

        return open_relational(SqliteDatabase(_path(url)))
    from core.store.drivers.postgres import PostgresDatabase  # noqa: PLC0415 - likewise

    return open_relational(PostgresDatabase(url))


def identity(url: str) -> str:
    """Which store a URL names: the same for all that name the same one, and without user and password.

    Raises ValueError as `check_url`.
    """
    check_url(url)
    if url.startswith(_SQLITE):
        return f"{_SQLITE}://{os.path.realpath(_path(url))}"
    from core.store.drivers import postgres_url  # noqa: PLC0415 - likewise

    return f"postgresql://{postgres_url.identity(url)}"


def reserve(url: str) -> ExitStack:
    """Keep a state file to this process until what is returned is closed; PostgreSQL is there for several.

    Not part of `open_store`, as a backup or a test may read a file that a server has. Reserve after the last fork: a
    child would inherit the lock and outlive this process.
    Raises ValueError as `check_url`, StoreInUse, or StoreUnavailable where the lock's file cannot be made now.
    """
    check_url(url)
    held = ExitStack()
    if url.startswith(_SQLITE):
        path = Path(os.path.realpath(_path(url)))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held.callback(os.close, lock_file.take(path.with_name(f"{path.name}.lock")))
        except Held as holder:
            raise StoreInUse(f"state file {path} is in use by process {holder}") from None
        except OSError as error:
            raise StoreUnavailable(UNUSABLE, f"state file {path} cannot be locked: {error.strerror}") from error
    return held


def _path(url: str) -> Path:
    """The file that an SQLite URL names, as an absolute path: a later change of folder must not move it."""
    path = url.removeprefix(f"{_SQLITE}:///")
    # In memory every connection would have a database of its own; options are not ours to promise.
    if path in (url, "", ":memory:") or path.endswith("/") or "?" in path:
        raise ValueError(f"this SQLite URL names no file; {_EXPECTED}")
    return Path(path).absolute()
