"""Listening sockets that a service manager opened, such as systemd with a socket unit.

The protocol is in sd_listen_fds(3): https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress

from server.settings_parsing import SettingsError

_COUNT, _PROCESS, _NAMES = "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"
# The names above, and one that systemd has added since.
_VARIABLES = (_COUNT, _PROCESS, _NAMES, "LISTEN_PIDFDID")
_FIRST = 3  # the descriptors before it are the standard streams
_FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


def inherited(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """The sockets that were passed to this process; none if no service manager has passed any.

    The variables are removed, so that no child process takes the sockets for its own. Raises SettingsError if the
    sockets cannot be used.
    """
    given = {name: environ.pop(name, "") for name in _VARIABLES}
    if not given[_COUNT]:
        return []
    if given[_PROCESS] != str(os.getpid()):
        # The variables can be those of a shell's or a terminal's parent. But if a socket is here too, the process that
        # was meant has started this one, and a server on another address would leave the clients waiting.
        if _listens(_FIRST):
            raise SettingsError(
                f"{_PROCESS}: the sockets were passed to process {given[_PROCESS] or '(none)'}, and this is process"
                f" {os.getpid()}; if a script starts the server, write `exec` before the command"
            )
        return []
    if not (given[_COUNT].isascii() and given[_COUNT].isdecimal()):
        raise SettingsError(f"{_COUNT}: {given[_COUNT]!r} is not a number of sockets")
    names = given[_NAMES].split(":")
    descriptors = range(_FIRST, _FIRST + int(given[_COUNT]))
    for index, descriptor in enumerate(descriptors):
        _check(descriptor, names[index] if index < len(names) else "")
    sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    for each in sockets:
        each.set_inheritable(False)
    return sockets


def _listens(descriptor: int) -> bool:
    with suppress(OSError), _looked_at(descriptor) as found:
        return _accepts(found)
    return False


def _check(descriptor: int, name: str) -> None:
    """Raise SettingsError if the server cannot accept HTTP connections from a descriptor."""
    try:
        with _looked_at(descriptor) as found:
            reason = _fault(found)
    except OSError as error:
        reason = f"is not a socket ({error.strerror}); pass one with ListenStream="
    if reason:
        raise SettingsError(f"{_COUNT}: descriptor {descriptor}{f' ({name})' if name else ''} {reason}")


def _fault(found: socket.socket) -> str:
    if found.family not in _FAMILIES:
        return "is neither a port nor a Unix socket; change ListenStream= in the socket unit"
    if found.type != socket.SOCK_STREAM:
        return "is not a stream socket; use ListenStream= in the socket unit"
    return "" if _accepts(found) else "does not listen; set Accept=no in the socket unit"


def _accepts(found: socket.socket) -> bool:
    return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


@contextmanager
def _looked_at(descriptor: int) -> Iterator[socket.socket]:
    """The socket of a descriptor, which stays open. Raises OSError."""
    found = socket.socket(fileno=descriptor)
    try:
        yield found
    finally:
        found.detach()
