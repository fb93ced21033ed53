"""The files of a journals folder: how they are begun, and how one that is written is told from one that is over.

A writer holds an exclusive `flock` on its file for as long as it writes; the kernel drops it when the process ends,
however it ends. Locks of this kind need a local disk.
"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from core import lock_file

SUFFIX = ".jsonl"


def begin(folder: Path) -> tuple[Path, int]:
    """Begin a file that nobody else writes: its path, and a descriptor that appends to it and holds its lock.

    Names sort by time and are never used twice, on any machine: the store remembers positions by them.
    Raises OSError; after that it may be tried again at once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(8)}{SUFFIX}"
    # Until it is locked it looks as if its writer were dead, so until then the drainer must not see it. A kill in
    # between leaves an empty file behind.
    unseen = path.with_suffix(".begun")
    descriptor = os.open(unseen, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        lock_file.lock(descriptor)
        unseen.rename(path)
    except OSError:
        os.close(descriptor)
        raise
    return path, descriptor


def sizes(folder: Path) -> dict[str, int]:
    """The journal files of the folder and their bytes, oldest first. Raises OSError."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX):
                with suppress(FileNotFoundError):  # drained and deleted meanwhile
                    found[entry.name] = entry.stat().st_size
    return dict(sorted(found.items()))
