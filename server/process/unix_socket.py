"""A Unix socket to listen on: made for owner and group, in place of the file of a killed server, removed at the end."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

# Owner and group may connect: on Linux that needs permission to write.
_MODE = 0o660
# Two servers that start at the same time wait for each other. Another program can hold a lock for longer.
_LOCK_SECONDS = 1.0
_LOOK_SECONDS = 0.01


class SocketFile(NamedTuple):
    """The file of a listening socket. inode and changed: another server can have replaced it since."""

    path: Path
    inode: int
    changed: int

    @classmethod
    def of(cls, listening: socket.socket) -> SocketFile:
        """The file of a socket that was made by `listen`."""
        return cls.at(Path(listening.getsockname()))

    @classmethod
    def at(cls, path: Path) -> SocketFile:
        """The file at a path. Raises OSError."""
        found = path.lstat()
        return cls(path, found.st_ino, found.st_mtime_ns)

    def remove(self) -> None:
        """Remove the file, unless it is another one by now."""
        with suppress(OSError), _locked(self.path.parent):
            if self.at(self.path) == self:
                self.path.unlink()


def listen(path: Path, backlog: int) -> socket.socket:
    """Listen on a Unix socket. Raises OSError: another server listens there, or the path is not a socket's."""
    with _locked(path.parent):
        _make_room(path)
        listening = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o777 & ~_MODE)  # before bind, so that the socket is never open to others
        try:
            listening.bind(str(path))
        finally:
            os.umask(mask)
        listening.listen(backlog)
    return listening


def remove(files: Iterable[SocketFile]) -> None:
    """Remove files of sockets."""
    for each in files:
        each.remove()


def _make_room(path: Path) -> None:
    """Remove a socket's file on which no process listens: its server was killed."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "the path exists and is not a socket; remove it, or set another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except BlockingIOError:  # its queue of connections is full
            pass
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:  # a socket for datagrams
                raise
    raise OSError(errno.EADDRINUSE, "another process listens there; stop it, or set another path")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock on the folder, if that can be had soon: no server must remove the file that another has just made."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        end = time.monotonic() + _LOCK_SECONDS
        while not _lock(descriptor) and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # the file system has no locks
        return True
    return True
