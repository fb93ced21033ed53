"""The folder that the processes of one server share. It holds the keeper's socket and the values of metrics."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from core.files import lock_file

# A folder in memory, because a disk may be full or slow.
MEMORY = "/dev/shm"  # noqa: S108 - mkdtemp makes a unique folder in it
PREFIX = "reversal-server-"
# Several times the space that 64 workers need.
_ROOM_BYTES = 32 << 20
# A younger folder may not be locked yet.
_LOCKED_BY_THEN_SECONDS = 60.0


def make() -> Path:
    """Create the folder, in memory if possible, and remove the folders of servers that were killed.

    The folder is locked as long as a process of this server runs, so that systemd-tmpfiles does not remove it.
    Raises OSError if no folder can be created, with what to do.
    """
    temporary = _temporary()
    for parent in filter(None, (MEMORY, temporary)):
        _remove_abandoned(parent)
    folder = _in_memory() or _on_disk(temporary)
    _lock(folder)
    return folder


def make_again(folder: Path) -> None:
    """Create a deleted folder again. Raises OSError, also if another user has created it."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        _lock(folder)
    if folder.lstat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to another user")


def _temporary() -> str | None:
    """The folder for temporary files; None if there is none that can be written, as on a read-only file system."""
    with suppress(OSError):
        return tempfile.gettempdir()
    return None


def _in_memory() -> Path | None:
    with suppress(OSError):
        if shutil.disk_usage(MEMORY).free >= _ROOM_BYTES:
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=MEMORY))
    return None


def _on_disk(temporary: str | None) -> Path:
    reason = "no folder for temporary files can be written"
    if temporary is not None:
        try:
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=temporary))
        except OSError as error:  # full, for example
            reason = f"{temporary}: {error.strerror}"
    raise OSError(
        f"cannot create the folder that the processes share: {MEMORY} cannot be written or has less than"
        f" {_ROOM_BYTES >> 20} MiB left, and {reason}; set TMPDIR to a folder that can be written"
    )


def _lock(folder: Path) -> None:
    """Lock the folder until this process and its forked children have ended."""
    lock_file.lock(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def _remove_abandoned(parent: str) -> None:
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and _is_abandoned(entry):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_abandoned(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        status = entry.stat(follow_symlinks=False)
        old = status.st_mtime < time.time() - _LOCKED_BY_THEN_SECONDS
        if old and stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
            descriptor = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                return lock_file.lock(descriptor)
            finally:
                os.close(descriptor)
    return False
