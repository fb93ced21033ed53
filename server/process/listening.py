"""The sockets that clients connect to, and the tokens that an address needs."""

from __future__ import annotations

import socket
from typing import Any

from server.auth.credentials import Credentials
from server.auth.hosts import is_loopback
from server.settings import Settings
from server.settings_parsing import SettingsError

_BACKLOG = 2048


def require_tokens(settings: Settings, credentials: Credentials) -> None:
    """Raise SettingsError if other machines reach the port and there are no tokens."""
    addresses = {address[0] for *_, address in _addresses(settings.host, settings.port)}
    reachable = [address for address in addresses if not is_loopback(str(address))]
    if reachable and not credentials.tokens and not settings.insecure:
        raise SettingsError(
            f"REVERSAL_HOST: {settings.host!r} is reachable from other machines, and no token is set; set"
            " REVERSAL_API_TOKEN and REVERSAL_ADMIN_TOKEN (or …_FILE), or REVERSAL_INSECURE=1 to let every client that"
            " reaches the port do everything"
        )


def _addresses(host: str, port: int) -> list[Any]:
    """The addresses of a host, as getaddrinfo returns them. Raises OSError or UnicodeError."""
    return list(dict.fromkeys(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)))


def listen(host: str, port: int) -> list[socket.socket]:
    """A listening socket for each address of the host, all on the same port."""
    sockets: list[socket.socket] = []
    for family, _, _, _, address in _addresses(host, port):
        wanted = (address[0], sockets[0].getsockname()[1] if sockets else port, *address[2:])
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(wanted)
        listening.listen(_BACKLOG)
        sockets.append(listening)
    return sockets
