"""The files of a journals folder, and the lock that shows whether a file still has a writer.

A writer holds an exclusive `flock` on its file as long as it writes. The kernel releases the lock when the process
ends, even by SIGKILL. `flock` needs a local disk.
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
    """Create a new file; returns its path, and a descriptor that appends to it and holds its lock.

    Names sort by time. A name is never used twice, on any machine, because the store keeps positions by name.
    Raises OSError; a retry is possible at once.
    """
    path = folder / f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(8)}{SUFFIX}"
    return path, _made(path, b"")


def again(path: Path, deleted: int) -> int:
    """Recreate a file that was deleted while it was open; returns the new descriptor, to use in place of `deleted`.

    The new file has the same name and the same content, because the store knows by name how many bytes it has of it.
    Raises OSError.
    """
    return _made(path, os.pread(deleted, os.fstat(deleted).st_size, 0))


def is_there(path: Path, descriptor: int) -> bool:
    """Whether `path` still names the open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _made(path: Path, content: bytes) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    # An unlocked file looks as if its writer had ended, so the drainer must not see the file before it is locked.
    # A kill in between leaves a file with this suffix behind.
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
    """The journal files of the folder with their sizes in bytes, oldest first. Raises OSError."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX):
                with suppress(FileNotFoundError):  # it was drained and deleted meanwhile
                    found[entry.name] = entry.stat().st_size
    return dict(sorted(found.items()))
