"""Locks on files, and lock files that hold the process id of their owner."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path


class Held(Exception):
    """Another process holds the lock; the message is its process id, or `unknown`."""


def lock(descriptor: int) -> bool:
    """Take the lock of an open file, if it is free; return whether it was. Closing the descriptor releases it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take(path: Path) -> int:
    """Take the lock of a file and write this process's id into it. The file is created if it does not exist.

    Returns the descriptor that holds the lock until it is closed. Raises Held if another process holds the lock, and
    OSError if the file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not lock(descriptor):
        holder = os.read(descriptor, 32).decode(errors="replace")
        os.close(descriptor)
        raise Held(holder or "unknown")
    with suppress(OSError):  # on a full disk the lock still works, without the process id
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
    return descriptor
