"""The kernel's view of the server's end of a connection, for a server on this machine."""

from __future__ import annotations

import socket
from pathlib import Path


def is_read(connection: socket.socket) -> bool:
    """Whether the server has accepted a connection and read everything that was sent on it."""
    found = _other_end(connection)
    if found is None:
        return False
    queues, inode = found
    return queues.endswith(":00000000") and inode != "0"  # a connection that is not accepted yet has no inode


def is_gone(port: int, peer: int) -> bool:
    """Whether no socket on `port` is connected to port `peer` any more."""
    return _socket(port, peer) is None


def accepting(port: int, pid: int) -> bool:
    """Whether a process waits for connections on all sockets that listen on a port."""
    listening = {f"socket:[{fields[9]}]" for fields in _sockets() if fields[3] == "0A" and _ports(fields)[0] == port}
    folder = Path(f"/proc/{pid}")
    watched: set[str] = set()
    for descriptor in (folder / "fd").iterdir():
        if descriptor.readlink().name == "anon_inode:[eventpoll]":
            lines = (folder / "fdinfo" / descriptor.name).read_text().splitlines()
            targets = [line.split()[1] for line in lines if line.startswith("tfd:")]
            watched |= {str((folder / "fd" / target).readlink()) for target in targets}
    return bool(listening) and listening <= watched


def _other_end(connection: socket.socket) -> tuple[str, str] | None:
    return _socket(connection.getpeername()[1], connection.getsockname()[1])


def _socket(port: int, peer: int) -> tuple[str, str] | None:
    """The queues and the inode of a socket, in the format of proc(5)."""
    for fields in _sockets():
        if _ports(fields) == [port, peer]:
            return fields[4], fields[9]
    return None


def _sockets() -> list[list[str]]:
    return [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]


def _ports(fields: list[str]) -> list[int]:
    return [int(each.rpartition(":")[2], 16) for each in fields[1:3]]
