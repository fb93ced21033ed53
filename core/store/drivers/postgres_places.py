"""The places that a URL names, host by host and address by address, and which of them accept connections now.

libpq asks one place after the other, and waits for seconds for a host that has vanished. The kernel repeats the first
packet of a connection after 1, 3 and 7 seconds, so that a network that is back is noticed late. So all places are
asked at once here, by a new attempt every half a second.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import psycopg
from psycopg import pq

_PACE_SECONDS = 0.5
# Attempts at a place at a time. A long `connect_timeout` would take all descriptors otherwise.
_MOST_ATTEMPTS = 4
# The first place is preferred if it answers within this time of another one.
_PREFERENCE_SECONDS = 0.05
# libpq has further rules for these: the hosts are in a file, or their order is random.
_LEFT_TO_LIBPQ = {"service", "load_balance_hosts"}


class Place(NamedTuple):
    """One address of a host."""

    host: str
    address: str
    port: int
    family: int

    @property
    def options(self) -> dict[str, str | int]:
        """The options of a connection to this place, instead of those that name all."""
        return {"host": self.host or self.address, "hostaddr": self.address, "port": self.port}


def places(options: Mapping[str, str | int | None]) -> list[Place]:
    """The places that connection options name, in their order, by a look at the names now.

    Empty if libpq has to find them, for example for a Unix socket, or if no name is known; also if libpq would refuse
    the options, so that its message says why.
    """
    known = {each.keyword.decode(): each.val.decode() for each in pq.Conninfo.get_defaults() if each.val}
    known |= {name: str(value) for name, value in options.items()}
    hosts, addresses = known.get("host", "").split(","), known.get("hostaddr", "").split(",")
    ports = known.get("port", "").split(",")
    count = max(len(hosts), len(addresses))
    # One port is that of all. One host is not the name of several addresses, nor one address that of several hosts.
    hosts, addresses = ([""] * count if each == [""] else each for each in (hosts, addresses))
    ports = ports * count if len(ports) == 1 else ports
    if _LEFT_TO_LIBPQ & options.keys() or any(len(each) != count for each in (hosts, addresses, ports)):
        return []
    found: list[Place] = []
    for host, address, port in zip(hosts, addresses, ports, strict=True):
        if not (host or address) or host.startswith(("/", "@")):
            return []
        found += _looked_up(host, address or host, port or "5432")
    return found


def _looked_up(host: str, name: str, port: str) -> list[Place]:
    try:
        known = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [Place(host, _address(where), int(where[1]), family) for family, _, _, _, where in known]


def _address(where: Sequence[Any]) -> str:
    """The address, with the network interface if it is that of an IPv6 address that needs one, such as fe80::1%2."""
    scope = where[3:4]
    return f"{where[0]}%{scope[0]}" if scope and scope[0] else str(where[0])


def accepting(asked: Sequence[Place], seconds: float) -> Generator[Place]:
    """Yield each place that accepts a connection, as soon as it does; several at once in the given order.

    The first place comes first if it answers about as soon as another one. Otherwise chance would decide between two
    addresses of one server, and a connection to one of them would look as if it had been left for the other.
    Others have half a second more after each of them. If the caller cannot use that one, because it is a standby,
    the next call asks it again: it may be promoted soon.
    Raises psycopg.OperationalError if there are places, and none has accepted within `seconds` or all have refused.
    """
    end, next_at = time.monotonic() + seconds, 0.0
    waiting, found = list(asked), False
    reasons = dict.fromkeys(asked, f"no answer for {seconds:g} s")
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        while waiting and (now := time.monotonic()) < end:
            if now >= next_at:
                next_at = now + _PACE_SECONDS
                for place in waiting:
                    try:
                        _begin(place, stack, selector)
                    except OSError as error:  # for example, because this machine has no IPv6, or no route
                        reasons[place] = os.strerror(error.errno or 0)
            answers = _answers(selector, min(next_at, end) - now)
            if 0 in answers.values() and asked[0] in waiting and not found:
                until = time.monotonic() + _PREFERENCE_SECONDS
                while asked[0] not in answers and (left := until - time.monotonic()) > 0:
                    answers = _answers(selector, left) | answers
            reasons |= {place: os.strerror(number) for place, number in answers.items()}
            accepted = [place for place in waiting if answers.get(place) == 0]
            # Other errors, such as that of a host that cannot be reached, can end with the next attempt.
            waiting = [place for place in waiting if answers.get(place) not in (0, errno.ECONNREFUSED)]
            yield from accepted
            if accepted:  # the time that the caller has taken does not count
                found, end = True, time.monotonic() + _PACE_SECONDS
    if asked and not found:
        told = "; ".join(f"{place.address}:{place.port} {reason}" for place, reason in reasons.items())
        raise psycopg.OperationalError(f"no host accepts connections: {told}")


def _begin(place: Place, stack: ExitStack, selector: selectors.BaseSelector) -> None:
    """Begin a connection; the selector finds out when it has been accepted or refused. Raises OSError."""
    attempt = stack.enter_context(socket.socket(place.family, socket.SOCK_STREAM))
    attempt.setblocking(False)
    number = attempt.connect_ex((place.address, place.port))
    if number not in (0, errno.EINPROGRESS):
        attempt.close()
        raise OSError(number, os.strerror(number))
    selector.register(attempt, selectors.EVENT_WRITE, place)
    same = [key.fileobj for key in selector.get_map().values() if key.data == place]  # oldest first
    for each in same[:-_MOST_ATTEMPTS]:
        _end(each, selector)


def _answers(selector: selectors.BaseSelector, seconds: float) -> dict[Place, int]:
    """The places that answer within a time, with their error numbers; 0 for one that accepts."""
    return {key.data: _end(key.fileobj, selector) for key, _ in selector.select(seconds)}


def _end(attempt: Any, selector: selectors.BaseSelector) -> int:  # noqa: ANN401 - a selector's file object
    """Close a connection that has an answer, and return its error number; 0 if it was accepted."""
    number: int = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    selector.unregister(attempt)
    attempt.close()
    return number
