"""The address of a request's client: the address of its connection, or one that a trusted proxy reports."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

# The address of a client that is connected to a Unix socket, and the word for such clients in the setting.
UNIX = "unix"
FORWARDED_FOR = "X-Forwarded-For"

# Proxies that may follow each other. A header can list many more, and reading them would take time.
_HOPS = 32
# No address with brackets and a port is longer.
_LONGEST = 64
# Brackets and ports are of load balancers; `unix:` is what nginx writes for its own client on a Unix socket.
_WORD = re.compile(r"\[([0-9a-f:.]+)\](?::[0-9]*)?|([0-9.]+|unix)(?::[0-9]*)?|([0-9a-f:.]+)", re.ASCII | re.IGNORECASE)
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")

_Hop = ipaddress.IPv4Address | ipaddress.IPv6Address | str  # the only text is UNIX
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class TrustedProxies(NamedTuple):
    """The peers whose header is believed: networks, and whether all peers on a Unix socket are."""

    networks: tuple[_Network, ...] = ()
    unix: bool = False

    def have(self, hop: _Hop) -> bool:
        """Whether an address is a trusted proxy's."""
        return self.unix if isinstance(hop, str) else any(hop in network for network in self.networks)


def trusted_proxies(text: str) -> TrustedProxies:
    """The proxies in a text, separated by blanks or commas. Raises ValueError if one is no address and no network.

    A network with bits set behind its prefix is refused, because it is unclear how many addresses it should cover.
    """
    words = text.replace(",", " ").split()
    networks = tuple(_unmapped_network(ipaddress.ip_network(word)) for word in words if word != UNIX)
    return TrustedProxies(networks, UNIX in words)


class ClientAddresses:
    """Finds the client's address of each request."""

    def __init__(self, proxies: TrustedProxies) -> None:
        self._proxies = proxies
        self._trusting = bool(proxies.networks) or proxies.unix

    def trusts(self, peer: str | None) -> bool:
        """Whether the other end of a connection is a trusted proxy. `peer`: as of `of`."""
        hop = UNIX if peer == "" else _hop((peer or "").partition("%")[0])
        return hop is not None and self._proxies.have(hop)

    def of(self, peer: str | None, forwarded: Sequence[str]) -> str:
        """The address of a request's client: an IPv4 or IPv6 address, `unix`, or an empty text if it is not known.

        `peer`: the address of the other end of the connection; an empty text for a Unix socket, None if it is not
        known. `forwarded`: the lines of X-Forwarded-For.
        If the peer is a trusted proxy, they are read from the right, because each proxy appends the peer that it has
        seen. The first address that is no trusted proxy is the client's; a client can write anything to the left of it.
        A word that is no address ends the search: then the address is that of the last trusted proxy.
        """
        hop = UNIX if peer == "" else _hop((peer or "").partition("%")[0])
        if hop is None:
            return peer or ""
        if self._trusting and self._proxies.have(hop):
            words = (word for line in reversed(forwarded) for word in reversed(line.rsplit(",", _HOPS)))
            for word in islice(words, _HOPS):
                before = _hop(word.strip(" \t"))
                if before is None:
                    break
                hop = before
                if not self._proxies.have(hop):
                    break
        return str(hop)


def _hop(word: str) -> _Hop | None:
    """An address, which can have brackets and a port, or `unix`; None for another text."""
    return _parsed(word) if len(word) <= _LONGEST else None


@lru_cache(maxsize=1024)  # few proxies and peers send most requests
def _parsed(word: str) -> _Hop | None:
    parts = _WORD.fullmatch(word)
    if parts is None:
        return None
    host = next(filter(None, parts.groups()))
    if host == UNIX:
        return UNIX
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _unmapped_network(network: _Network) -> _Network:
    """The network of IPv4 if it is one of mapped addresses, such as ::ffff:10.0.0.0/104."""
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        mapped = ipaddress.IPv4Address(int(network.network_address) & 0xFFFFFFFF)
        return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED.prefixlen))
    return network
