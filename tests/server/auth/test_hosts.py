from __future__ import annotations

import pytest

from server.auth import hosts as module
from server.auth.hosts import Hosts, host_names, is_loopback


@pytest.fixture
def hosts() -> Hosts:
    return Hosts(("Box.Example.", "desk.example"))


@pytest.mark.parametrize(
    "host",
    [
        None,
        "127.0.0.1",
        "127.0.0.1:8000",
        "192.168.1.5:8000",
        "203.0.113.9",
        "[::1]",
        "[::1]:8000",
        "[fe80::1%eth0]:8000",
        "::1",
        "localhost",
        "LocalHost:8000",
        "localhost.",
        "localhost.:8000",
        "localhost:",
        "app.localhost:3000",
        "reversal",
        "my_service:8000",
        "desk.example",
        "DESK.example:8443",
        "desk.example.",
        "box.example",
    ],
)
def test_a_host_that_no_page_can_point_here_is_accepted(hosts: Hosts, host: str | None) -> None:
    for _ in range(2):  # the second time from memory
        assert hosts.has(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "evil.example.",
        "sub.desk.example",
        "desk.example.evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "notlocalhost.example",
        "a.b",
        "127.1",
    ],
)
def test_a_name_that_public_dns_can_have_is_not_accepted(hosts: Hosts, host: str) -> None:
    for _ in range(2):
        assert not hosts.has(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":8000",
        ".",
        "..",
        ".localhost",
        "localhost..",
        "a b",
        " localhost",
        "localhost:http",
        "localhost:-1",
        "localhost:65536",
        "localhost:800000",
        "localhost:1:2",
        "[::1",
        "::1]",
        "[]",
        "[::1]x",
        "[localhost]",
        "user@localhost",
        "localhost/path",
        "localhost, evil.example",
        "http://localhost",
        "lo\x00calhost",
        "localho\u017ft",
        "\udcff\udcfe",
        "b\u00fcro",
        "%6cocalhost",
        "-a",
        "a" * 64,
        "a." * 200 + "localhost",
        "a" * 100_000,
    ],
)
def test_a_malformed_host_is_not_accepted(hosts: Hosts, host: str) -> None:
    assert not hosts.has(host)


def test_the_number_of_remembered_hosts_is_bounded(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 8)
    for port in range(1000):
        assert hosts.has(f"localhost:{port}")
        assert not hosts.has(f"evil.example:{port}")
        assert len(hosts.good) <= 8
    assert hosts.has(None)


def test_names_in_a_text_are_separated_by_blanks_and_commas() -> None:
    assert host_names(" Desk.Example, box.example.\n10.0.0.1 [::1] ") == (
        "desk.example", "box.example", "10.0.0.1", "[::1]",
    )  # fmt: skip
    assert host_names("") == ()


@pytest.mark.parametrize(
    "name", ["*", "*.example", ".example", "https://desk.example", "desk.example:8000", "b\u00fcro", "a..b"]
)
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        host_names(f"good.example {name}")


def test_loopback_addresses_are_recognised() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost", "", "fe80::1%eth0")))  # noqa: S104
