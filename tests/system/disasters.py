"""A disk without room, and a state that another process has locked."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """No room in the folder's file system, to the last byte."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
        yield
    filler.unlink()


@contextmanager
def locked(path: Path) -> Iterator[float]:
    """Somebody else writes, and does not end; since when."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield time.monotonic()
        connection.execute("ROLLBACK")
