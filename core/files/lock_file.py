"""Locks on files, and a file that says which process has something to itself."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path


class Held(Exception):
    """Another process has the lock; the message is its process id, or `unknown`."""


def lock(descriptor: int) -> bool:
    """Take a file's lock if nobody holds it. It lasts until the descriptor is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take(path: Path) -> int:
    """Take the lock of a file, made where there is none, and write down who has it.

    Returns the descriptor that holds it until it is closed. Raises Held, or OSError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not lock(descriptor):
        holder = os.read(descriptor, 32).decode(errors="replace")
        os.close(descriptor)
        raise Held(holder or "unknown")
    with suppress(OSError):  # a full disk: the lock holds without the note
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
    return descriptor
