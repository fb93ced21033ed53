"""The names by which a server that asks for no token may be called: those that no page can make lead to it.

A page of evil.example whose name is made to lead to 127.0.0.1 (DNS rebinding) is, for its browser, of the same origin
as this server. That name is in the requests' Host.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

_PORTS = 1 << 16
# Host values found good that are remembered. There are as many as addresses and ports.
_REMEMBERED = 1024
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)
_HOST = re.compile(r"(?P<name>\[[^\[\]]+\]|[^\[\]:]+)(?::(?P<port>[0-9]{0,5}))?", re.ASCII)


class Hosts:
    """Answers whether a request's Host is one of ours."""

    def __init__(self, names: Iterable[str]) -> None:
        """`names`: those that are good beside the ones that always are."""
        self._names = frozenset(map(_plain, names))
        self.good: set[str | None] = {None}  # those found good before, and a request that has none

    def has(self, host: str | None) -> bool:
        """Whether a page of another machine cannot have made its browser send this Host; null: there was none."""
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
            return is_address(host)  # of IPv6 without brackets
        if int(parts["port"] or 0) >= _PORTS:
            return False
        if parts["name"].startswith("["):
            return is_address(parts["name"][1:-1])
        name = _plain(parts["name"])
        if name in self._names or is_address(name):  # an address is looked up nowhere
            return True
        # Browsers ask no name server for localhost, and no name that is to be had in public DNS is without a dot.
        return _NAME.fullmatch(name) is not None and ("." not in name or name.endswith(".localhost"))


def host_names(text: str) -> tuple[str, ...]:
    """The names in a text, with blanks or commas in between. Raises ValueError where one is no host name."""
    found = tuple(_plain(word) for word in text.replace(",", " ").split())
    for name in found:
        if _NAME.fullmatch(name) is None and not is_address(name.removeprefix("[").removesuffix("]")):
            raise ValueError
    return found


def is_address(text: str) -> bool:
    """Whether that is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(text: str) -> bool:
    """Whether that is an IP address which only its own machine reaches."""
    return is_address(text) and ipaddress.ip_address(text.partition("%")[0]).is_loopback


def _plain(name: str) -> str:
    """Names that differ in case or in a dot at their end are one."""
    return name.lower().removesuffix(".")
