"""The addresses of a host: each is listened on, one that the machine does not have is left out."""

from __future__ import annotations

import errno
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

import pytest

from server.process import listening
from server.settings import Settings

# In a block that is reserved for future use (RFC 1112), so no machine has it.
ABSENT = "240.0.0.1"
Resolve = Callable[..., None]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Makes a name stand for several addresses."""

    def resolves(*hosts: str) -> None:
        def addresses(_: str, port: int, **__: object) -> Sequence[object]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts]

        monkeypatch.setattr(socket, "getaddrinfo", addresses)

    return resolves


def opened(host: str, port: int) -> list[tuple[str, int]]:
    sockets = listening.listen(host, port)
    names = [each.getsockname() for each in sockets]
    for each in sockets:
        each.close()
    return names


@pytest.mark.parametrize("hosts", [("127.0.0.1", ABSENT), (ABSENT, "127.0.0.1")])
def test_an_absent_address_is_left_out_and_named(
    resolve: Resolve,
    caplog: pytest.LogCaptureFixture,
    hosts: tuple[str, ...],
) -> None:
    resolve(*hosts)
    with caplog.at_level(logging.WARNING):
        ((host, _),) = opened("name", 0)
    assert host == "127.0.0.1"
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"address_unavailable host={ABSENT} ")


def test_all_addresses_have_the_same_port(resolve: Resolve) -> None:
    resolve("127.0.0.1", "127.0.0.2")
    (first, port), (second, other) = opened("name", 0)
    assert (first, second) == ("127.0.0.1", "127.0.0.2")
    assert port == other != 0


def test_without_any_address_it_is_an_error(resolve: Resolve) -> None:
    resolve(ABSENT, "240.0.0.2")
    with pytest.raises(OSError) as error:  # noqa: PT011 - the number is checked
        listening.listen("name", 0)
    assert error.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.parametrize("taken", ["127.0.0.1", "127.0.0.2"])
def test_a_port_in_use_is_an_error_for_each_address(resolve: Resolve, taken: str) -> None:
    resolve("127.0.0.1", "127.0.0.2", ABSENT)
    with closing(socket.create_server((taken, 0))) as other, pytest.raises(OSError) as error:  # noqa: PT011
        listening.listen("name", other.getsockname()[1])
    assert error.value.errno == errno.EADDRINUSE


def test_a_reserved_port_is_kept_and_shared_with_sockets_that_allow_it(settings: Settings) -> None:
    (reserved,) = listening.reserve(settings, 0)
    with closing(reserved):
        address = reserved.getsockname()
        assert listening.name_of(reserved) == f"127.0.0.1:{address[1]}"
        with closing(socket.socket()) as shared:
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            shared.bind(address)
            shared.listen()
            with pytest.raises(OSError) as error:  # noqa: PT011 - the number is checked
                listening.reserve(settings, address[1])
        assert error.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize(("host", "also"), [("0.0.0.0", " also=::"), ("127.0.0.1", "")])  # noqa: S104 - does not listen
def test_the_log_names_the_addresses_that_grpc_opens_as_well(
    settings: Settings, caplog: pytest.LogCaptureFixture, host: str, also: str
) -> None:
    caplog.set_level(logging.INFO)
    (reserved,) = listening.reserve(replace(settings, host=host), 0)
    with closing(reserved):
        listening.log_reserved(reserved)
        port = reserved.getsockname()[1]
    assert caplog.messages == [f"grpc_port_opened host={host} port={port}{also}"]


def test_a_reserved_port_does_not_listen(settings: Settings) -> None:
    (reserved,) = listening.reserve(settings, 0)
    with closing(reserved), pytest.raises(ConnectionRefusedError):
        socket.create_connection(reserved.getsockname(), timeout=5)
