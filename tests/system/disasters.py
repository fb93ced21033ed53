"""A full disk, and a state file that is locked."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Fill the folder's file system to the last byte."""
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
    """Hold a write lock on the state file from another connection. Yields the time at which the lock was taken."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield time.monotonic()
        connection.execute("ROLLBACK")
