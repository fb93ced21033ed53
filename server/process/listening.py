"""The sockets that clients connect to, and the tokens that an address needs."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from core.log_event import LogEvent
from server.auth.credentials import Credentials
from server.auth.hosts import is_loopback
from server.process import unix_socket
from server.process.unix_socket import SocketFile
from server.settings import Settings
from server.settings_parsing import SettingsError

log = logging.getLogger(__name__)

_BACKLOG = 2048
_ALL_IPV4 = "0.0.0.0"  # noqa: S104 - compared only
# The errors of an address that this machine does not have, as ::1 if IPv6 is off.
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def require_tokens(settings: Settings, credentials: Credentials, inherited: Sequence[socket.socket] = ()) -> None:
    """Raise SettingsError if other machines reach the port and there are no tokens. They cannot reach a Unix socket.

    `inherited`: the sockets to listen on in place of the settings' address.
    """
    if inherited:
        place = "LISTEN_FDS: a socket that the service manager opened"
        reachable = not all(map(is_local, inherited))
    elif settings.unix_socket is not None:
        return
    else:
        place = f"REVERSAL_HOST: {settings.host!r}"
        addresses = {address[0] for *_, address in _addresses(settings.host, settings.port)}
        reachable = not all(is_loopback(str(address)) for address in addresses)
    if reachable and not credentials.tokens and not settings.insecure:
        raise SettingsError(
            f"{place} is reachable from other machines, and no token is set; set"
            " REVERSAL_API_TOKEN and REVERSAL_ADMIN_TOKEN (or …_FILE), or REVERSAL_INSECURE=1 to let every client that"
            " reaches the port do everything"
        )


def _addresses(host: str, port: int) -> list[Any]:
    """The addresses of a host, as getaddrinfo returns them. Raises OSError or UnicodeError."""
    return list(dict.fromkeys(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)))


def open_sockets(settings: Settings) -> list[socket.socket]:
    """The sockets that clients connect to. Raises OSError or UnicodeError."""
    if settings.unix_socket is not None:
        return [unix_socket.listen(settings.unix_socket, _BACKLOG)]
    return listen(settings.host, settings.port)


def reserve(settings: Settings, port: int) -> list[socket.socket]:
    """Sockets that keep the port of gRPC. Each worker opens its own on the same port.

    gRPC's sockets share the port with all others of this user that allow it. That another server has the port is found
    out by sockets that do not. Raises SettingsError, OSError or UnicodeError.
    """
    if settings.unix_socket is not None:
        raise SettingsError(
            "REVERSAL_GRPC_PORT: gRPC needs a port, and the server listens on a Unix socket; set REVERSAL_HOST to an"
            " address, or leave REVERSAL_GRPC_PORT unset"
        )
    alone = listen(settings.host, port, partial(_bound, backlog=None))
    reserved: list[socket.socket] = []
    for each in alone:
        address = each.getsockname()
        each.close()
        reserved.append(_bound(each.family, address, backlog=None, shared=True))
    return reserved


def name_of(reserved: socket.socket) -> str:
    """The address of a socket as gRPC writes it: `127.0.0.1:8001` or `[::1]:8001`."""
    host, port = reserved.getsockname()[:2]
    return f"[{host}]:{port}" if reserved.family == socket.AF_INET6 else f"{host}:{port}"


def listen(
    host: str, port: int, open_socket: Callable[[int, tuple[Any, ...]], socket.socket] | None = None
) -> list[socket.socket]:
    """A listening socket for each address of the host, all on the same port.

    An address that this machine does not have is left out, and logged, if there is another one: `localhost` is often
    also the name of ::1 on a machine without IPv6. Raises OSError or UnicodeError.
    """
    sockets: list[socket.socket] = []
    absent: list[tuple[str, OSError]] = []
    for family, _, _, _, address in _addresses(host, port):
        wanted = (address[0], sockets[0].getsockname()[1] if sockets else port, *address[2:])
        try:
            sockets.append((open_socket or _bound)(family, wanted))
        except OSError as error:
            if error.errno not in _ABSENT:
                for each in sockets:
                    each.close()
                raise
            absent.append((address[0], error))
    if not sockets and absent:
        raise absent[0][1]
    for name, refused in absent:
        effect = f"the server listens on the other addresses of {host}"
        log.warning(LogEvent("address_unavailable", host=name, error=refused, effect=effect))
    return sockets


def _bound(
    family: int, address: tuple[Any, ...], *, backlog: int | None = _BACKLOG, shared: bool = False
) -> socket.socket:
    """A socket at an address. backlog: null if it does not listen. shared: whether others may have the address, too."""
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
        if backlog is not None:
            listening.listen(backlog)
    except BaseException:
        listening.close()
        raise
    return listening


def log_opened(listening: socket.socket) -> None:
    """Log that clients can connect to a socket."""
    if listening.family == socket.AF_UNIX:
        # The name of a socket without a file is in bytes, of which the first is 0. systemd writes it as @.
        path = os.fsdecode(listening.getsockname()).replace("\0", "@", 1)
        log.info(LogEvent("socket_opened", path=path))
        return
    host, port = listening.getsockname()[:2]
    log.info(LogEvent("port_opened", host=host, port=port))


def log_reserved(reserved: socket.socket) -> None:
    """Log the port of gRPC.

    Its library listens on all addresses of IPv6 as well if it is told to do so on all of IPv4.
    """
    host, port = reserved.getsockname()[:2]
    also = {"also": "::"} if host == _ALL_IPV4 else {}
    log.info(LogEvent("grpc_port_opened", host=host, port=port, **also))


def is_local(listening: socket.socket) -> bool:
    """Whether only this machine reaches a socket."""
    return listening.family == socket.AF_UNIX or is_loopback(listening.getsockname()[0])


def files(sockets: Sequence[socket.socket]) -> list[SocketFile]:
    """The files of Unix sockets, which remain when the sockets are closed."""
    return [SocketFile.of(each) for each in sockets if each.family == socket.AF_UNIX]
