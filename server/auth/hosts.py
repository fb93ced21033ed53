"""The Host values that a server without tokens accepts: names that no web page can make point to the server.

With DNS rebinding, a page of evil.example makes its own name point to 127.0.0.1. Its browser then considers this server
to be of the page's origin. The Host of its requests is still evil.example.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

_PORTS = 1 << 16
# Valid Host values that are remembered. The bound is needed because every address and port makes another one.
_REMEMBERED = 1024
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)
_HOST = re.compile(r"(?P<name>\[[^\[\]]+\]|[^\[\]:]+)(?::(?P<port>[0-9]{0,5}))?", re.ASCII)


class Hosts:
    """Checks whether a request's Host names this server."""

    def __init__(self, names: Iterable[str]) -> None:
        """`names`: accepted beside addresses, localhost and names without a dot."""
        self._names = frozenset(map(_plain, names))
        self.good: set[str | None] = {None}  # values that were accepted before; None: a request without a Host

    def has(self, host: str | None) -> bool:
        """Whether the Host is accepted: no page of another machine can make its browser send it. None: no Host."""
        if host in self.good:
            return True
        if not self._is_good(host or ""):
            return False
        if len(self.good) >= _REMEMBERED:
            self.good = {None}
        self.good.add(host)
        return True

    def _is_good(self, host: str) -> bool:
        parts = _HOST.fullmatch(host) if host.isascii() else None
        if parts is None:
            return is_address(host)  # IPv6 without brackets
        if int(parts["port"] or 0) >= _PORTS:
            return False
        if parts["name"].startswith("["):
            return is_address(parts["name"][1:-1])
        name = _plain(parts["name"])
        if name in self._names or is_address(name):  # no name server is asked for an address
            return True
        # Browsers ask no name server for localhost, and no name in public DNS is without a dot.
        return _NAME.fullmatch(name) is not None and ("." not in name or name.endswith(".localhost"))


def host_names(text: str) -> tuple[str, ...]:
    """The names in a text, separated by blanks or commas. Raises ValueError if one is not a host name."""
    found = tuple(_plain(word) for word in text.replace(",", " ").split())
    for name in found:
        if _NAME.fullmatch(name) is None and not is_address(name.removeprefix("[").removesuffix("]")):
            raise ValueError
    return found


def is_address(text: str) -> bool:
    """Whether the text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(text: str) -> bool:
    """Whether the text is an IP address that only its own machine can reach."""
    return is_address(text) and ipaddress.ip_address(text.partition("%")[0]).is_loopback


def _plain(name: str) -> str:
    """The name in lower case and without a trailing dot: all its spellings are the same name."""
    return name.lower().removesuffix(".")
