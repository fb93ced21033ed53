"""What a call has beside its message: metadata, and the address of its client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote


class Headers(Mapping[str, str]):
    """A call's metadata as the headers of a request: names in any case, and without those of binary values.

    Cookies are left out: the sessions of the page are none of gRPC.
    """

    def __init__(self, metadata: Iterable[tuple[str, str | bytes]]) -> None:
        """`metadata`: pairs of a name in lower case and its value."""
        self._pairs = [(name, value) for name, value in metadata if isinstance(value, str) and name != "cookie"]
        self._first = dict(reversed(self._pairs))

    def __getitem__(self, name: str) -> str:
        return self._first[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)

    def getall(self, name: str) -> list[str]:
        """All values of a name."""
        lower = name.lower()
        return [value for each, value in self._pairs if each == lower]


def address_of(peer: str) -> str:
    """The address in what gRPC calls a peer, such as `ipv4:10.0.0.5:4321` or `ipv6:%5B::1%5D:4321`."""
    kind, _, rest = peer.partition(":")
    host = unquote(rest).rpartition(":")[0]
    return host.removeprefix("[").removesuffix("]") if kind in ("ipv4", "ipv6") else ""
