from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

import orjson
import pytest
from aiohttp import web

from server.auth import access
from server.auth.client_address import ClientAddresses, trusted_proxies
from server.auth.failed_tokens import LIMIT
from server.settings import Settings
from tests.application import Build
from tests.server.auth.tokens import bearer
from tests.server.client import Client

PROXIES = "10.0.0.0/8, 2001:db8:7::/48 unix"
PEER = "10.0.0.1"


def client_of(peer: str | None, *lines: str, proxies: str = PROXIES) -> str:
    return ClientAddresses(trusted_proxies(proxies)).of(peer, lines)


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ([], PEER),
        (["203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, 10.9.9.9"], "203.0.113.7"),
        (["198.51.100.1, 203.0.113.7"], "203.0.113.7"),  # the client wrote the first one
        (["198.51.100.1", "203.0.113.7", "10.2.3.4,10.2.3.5"], "203.0.113.7"),
        (["203.0.113.7 ,\t10.2.3.4 "], "203.0.113.7"),
        (["10.2.3.4, 10.2.3.5"], "10.2.3.4"),  # a request of a proxy itself
        (["203.0.113.7:4711"], "203.0.113.7"),
        (["[2001:db8::7]:4711"], "2001:db8::7"),
        (["[2001:db8::7]"], "2001:db8::7"),
        (["2001:DB8:0::7"], "2001:db8::7"),
        (["203.0.113.7, 2001:db8:7::9"], "203.0.113.7"),
        (["203.0.113.7, ::ffff:10.0.0.9, [::ffff:a00:9]:80"], "203.0.113.7"),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, unix:"], "203.0.113.7"),
        (["unix"], "unix"),
    ],
)
def test_the_client_is_the_first_address_from_the_right_that_is_no_proxy(lines: list[str], address: str) -> None:
    assert client_of(PEER, *lines) == address


JUNK = [
    "",
    " ",
    "unknown",
    "_hidden",
    "localhost",
    "010.0.0.1",
    "10.0.0",
    "10.0.0.256",
    "10.1",
    "167772161",
    "0x0a000001",
    "10.0.0.1 10.0.0.2",
    "10.0.0.1;",
    "10.0.0.0/8",
    "10.0.0.1:http",
    "10.0.0.1:80:80",
    "[10.0.0.1",
    "[2001:db8::7]80",
    "2001:db8::7%eth0",
    "2001:db8::7::1",
    '"[2001:db8::7]"',
    "for=203.0.113.7",
    "\uff11\uff10.0.0.1",
    "203.0.113.7\n",
    "unix:/run/a.sock",
    "\udcff",
    "1" * 8000,
    ":" * 8000,
]


@pytest.mark.parametrize("word", JUNK)
def test_a_word_that_is_no_address_ends_the_search_at_the_last_proxy(word: str) -> None:
    assert client_of(PEER, word) == PEER
    assert client_of(PEER, f"203.0.113.7,{word}, 10.0.0.2") == "10.0.0.2"
    assert client_of(PEER, "203.0.113.7", word) == PEER


@pytest.mark.parametrize("peer", ["203.0.113.9", "2001:db8:8::1", "127.0.0.1", "::ffff:203.0.113.9"])
def test_the_header_of_another_peer_is_ignored(peer: str) -> None:
    assert client_of(peer, "198.51.100.1") == peer.removeprefix("::ffff:")
    assert client_of(PEER, "198.51.100.1", proxies="") == PEER


def test_a_peer_can_have_a_scope_or_be_mapped_or_unknown() -> None:
    assert client_of("fe80::1%eth0", "203.0.113.7", proxies="fe80::/10") == "203.0.113.7"
    assert client_of("::ffff:10.0.0.1", "203.0.113.7") == "203.0.113.7"
    assert client_of("10.0.0.1", "203.0.113.7", proxies="::ffff:10.0.0.0/104") == "203.0.113.7"
    assert client_of(None, "203.0.113.7") == ""  # closed before it was accepted: not a Unix socket's


def test_the_peers_of_a_unix_socket_are_trusted_only_if_that_is_set() -> None:
    assert client_of("", "203.0.113.7") == "203.0.113.7"
    assert client_of("", "203.0.113.7", proxies="10.0.0.0/8") == "unix"


def test_of_a_long_header_only_the_last_32_addresses_are_read() -> None:
    assert client_of(PEER, "203.0.113.7", *["10.0.0.2"] * 31) == "203.0.113.7"
    assert client_of(PEER, "203.0.113.7,10.0.0.3", *["10.0.0.2"] * 31) == "10.0.0.3"
    assert client_of(PEER, *["203.0.113.7,10.0.0.3" + ",10.0.0.2" * 900] * 120) == "10.0.0.2"


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "proxy.example", "10.0.0.1:80", "[::1]", "*", "unix:"])
def test_what_is_neither_an_address_nor_a_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        trusted_proxies(text)


async def test_audit_and_limit_have_the_address_that_a_trusted_proxy_reports(
    settings: Settings,
    build: Build,
    aiohttp_client: Callable[[web.Application], Awaitable[Client]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access, "WAIT_SECONDS", 0.0)
    behind = dataclasses.replace(settings, admin_token="ops:root", trusted_proxies=trusted_proxies("127.0.0.1"))  # noqa: S106
    client = await aiohttp_client(await build(behind))
    switch = "/reversal/models/v2/switch"

    async def status(token: str, forwarded: str) -> int:
        headers = bearer(token) | {"X-Forwarded-For": forwarded, "Forwarded": "for=192.0.2.99"}
        return (await client.post(switch, headers=headers)).status

    assert [await status("guess", f"192.0.2.{i}, 203.0.113.7") for i in range(LIMIT + 1)] == [401] * LIMIT + [429]
    assert await status("guess", "203.0.113.8") == 401
    assert await status("root", "203.0.113.7:99") == 200
    (entry,) = map(orjson.loads, behind.audit.read_bytes().splitlines())
    assert entry["address"] == "203.0.113.7"


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [("10.0.0.5", True), ("::ffff:10.0.0.5", True), ("10.0.1.5", False), ("", True), (None, False), ("x", False)],
)
def test_only_listed_peers_are_trusted(peer: str | None, *, trusted: bool) -> None:
    assert ClientAddresses(trusted_proxies("10.0.0.0/24 unix")).trusts(peer) is trusted
    assert not ClientAddresses(trusted_proxies("")).trusts(peer)
