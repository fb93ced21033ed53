"""Hosts in network namespaces on one switch, which can stop to pass on the packets of a host."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

# The addresses of deploy/haproxy/haproxy.cfg and docs/several-machines.md.
_NETWORK = "10.77.0"
_SWITCH = "switch"
_INTERFACE = "eth0"
# The host of the clients and of the operator: that of this process.
_CLIENT = 1


@dataclass(frozen=True)
class Host:
    """A host with a network and a name of its own. `pid`: a process on it."""

    name: str
    address: str
    pid: int

    @property
    def within(self) -> Sequence[str]:
        """The prefix of a command that runs on this host, with the files of this process."""
        return ("nsenter", f"--target={self.pid}", "--net", "--uts")

    def cut(self) -> None:
        """Pass on no further packet, in neither direction. Both sides find out by getting no answers."""
        _ip("link", "set", self.name, "nomaster")

    def heal(self) -> None:
        """Pass packets on again."""
        _ip("link", "set", self.name, "master", _SWITCH)

    def lose(self, *others: Host) -> None:
        """Send what is for other hosts to an address that no host has, without an error. Other hosts are reached."""
        for each in others:
            self._neighbour("replace", each, "lladdr", "02:00:00:00:00:01", "nud", "permanent")

    def find(self, *others: Host) -> None:
        """Send it to them again."""
        for each in others:
            self._neighbour("del", each)

    def _neighbour(self, change: str, other: Host, *more: str) -> None:
        call = [*self.within, "ip", "neigh", change, other.address, "dev", _INTERFACE, *more]
        subprocess.run(call, check=True)  # noqa: S603 - names of this package


def make_switch() -> None:
    """Make the switch, and connect this process to it, which must have a network of its own."""
    _ip("link", "set", "lo", "up")
    _ip("link", "add", _SWITCH, "type", "bridge")
    _ip("addr", "add", f"{_NETWORK}.{_CLIENT}/24", "dev", _SWITCH)
    _ip("link", "set", _SWITCH, "up")


@contextmanager
def host(name: str, number: int) -> Iterator[Host]:
    """A host on the switch whose address ends with a number."""
    script = f"hostname {name} && ip link set lo up && echo ready && exec sleep infinity"
    call = ["unshare", "--net", "--uts", "sh", "-e", "-c", script]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - names of this package
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"no host {name}: namespaces are not allowed here")
            made = Host(name, f"{_NETWORK}.{number}", process.pid)
            _ip("link", "add", name, "type", "veth", "peer", "name", _INTERFACE, "netns", str(process.pid))
            _ip("link", "set", name, "master", _SWITCH, "up")
            up = f"ip addr add {made.address}/24 dev {_INTERFACE} && ip link set {_INTERFACE} up"
            subprocess.run([*made.within, "sh", "-e", "-c", up], check=True)  # noqa: S603 - as above
            yield made
        finally:
            process.kill()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)  # noqa: S603, S607 - names of this package
