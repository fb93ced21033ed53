"""The files of a journals folder: how they are begun, and how one that is written is told from one that is over.

A writer holds an exclusive `flock` on its file for as long as it writes; the kernel drops it when the process ends,
however it ends. Locks of this kind need a local disk.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from core.files import lock_file

SUFFIX = ".jsonl"


def begin(folder: Path) -> tuple[Path, int]:
    """Begin a file that nobody else writes: its path, and a descriptor that appends to it and holds its lock.

    Names sort by time and are never used twice, on any machine: the store remembers positions by them.
    Raises OSError; after that it may be tried again at once.
    """
    path = folder / f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(8)}{SUFFIX}"
    return path, _made(path, b"")


def again(path: Path, deleted: int) -> int:
    """Make a file again that somebody has deleted while it was written; returns the descriptor that takes its place.

    It has the same name and begins with what the deleted one holds: the store knows by the name how much of that it
    has. Raises OSError.
    """
    return _made(path, os.pread(deleted, os.fstat(deleted).st_size, 0))


def is_there(path: Path, descriptor: int) -> bool:
    """Whether an open file is still the one of that path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _made(path: Path, content: bytes) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Until it is locked it looks as if its writer were dead, so until then the drainer must not see it. A kill in
    # between leaves it behind.
    unseen = path.with_suffix(".begun")
    descriptor = os.open(unseen, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _write_whole(descriptor, content)
        lock_file.lock(descriptor)
        unseen.rename(path)
    except OSError:
        with suppress(OSError):
            unseen.unlink()
        os.close(descriptor)
        raise
    return descriptor


def _write_whole(descriptor: int, content: bytes) -> None:
    if os.write(descriptor, content) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def sizes(folder: Path) -> dict[str, int]:
    """The journal files of the folder and their bytes, oldest first. Raises OSError."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX):
                with suppress(FileNotFoundError):  # drained and deleted meanwhile
                    found[entry.name] = entry.stat().st_size
    return dict(sorted(found.items()))
