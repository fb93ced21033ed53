from __future__ import annotations

import pytest

from server.grpc.headers import Headers, address_of


def test_names_are_found_in_any_case_and_the_first_value_counts() -> None:
    headers = Headers([("authorization", "a"), ("data-bin", b"x"), ("authorization", "b"), ("x", "y")])
    assert headers.get("Authorization") == "a"
    assert headers.getall("AUTHORIZATION") == ["a", "b"]
    assert headers.get("Host") is None
    assert (sorted(headers), len(headers)) == (["authorization", "x"], 2)


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.5:4321", "10.0.0.5"),
        ("ipv6:%5B::1%5D:4321", "::1"),
        ("ipv6:[2001:db8::1]:4321", "2001:db8::1"),
        ("unix:/run/x.sock", ""),
        ("unknown", ""),
    ],
)
def test_the_address_of_a_peer(peer: str, address: str) -> None:
    assert address_of(peer) == address


def test_cookies_are_left_out() -> None:
    """The sessions of the page are for browsers, which send no gRPC."""
    headers = Headers([("cookie", "reversal_session=x"), ("a", "b")])
    assert headers.get("Cookie") is None
    assert headers.getall("Cookie") == []
    assert dict(headers) == {"a": "b"}
