"""The cookie of a session: its form, its signature and its name, and from where a request comes."""

from __future__ import annotations

import hashlib

import pytest

from server.auth import sessions
from server.auth.sessions import SECONDS, cookie_name, cookies_of, csrf_of, has_csrf, is_current, is_of, is_same_origin

DIGEST, OTHER = (hashlib.sha256(text).digest() for text in (b"one", b"two"))
NOW = 1_800_000_000.7


def test_a_cookie_is_valid_for_twelve_hours_and_for_its_token_only() -> None:
    cookie = sessions.issue(DIGEST, NOW)
    assert is_of(cookie, DIGEST)
    assert not is_of(cookie, OTHER)
    assert is_current(cookie, NOW)
    assert is_current(cookie, NOW + SECONDS - 1)
    assert not is_current(cookie, NOW + SECONDS)
    assert cookie != sessions.issue(DIGEST, NOW)
    assert SECONDS == 12 * 3600


@pytest.mark.parametrize("place", [0, 10, 20, -1])
def test_a_changed_cookie_is_no_tokens(place: int) -> None:
    cookie = sessions.issue(DIGEST, NOW)
    changed = "0" if cookie[place] != "0" else "1"
    forged = cookie[:place] + changed + (cookie[place:][1:])
    assert len(forged) == len(cookie)
    assert not is_of(forged, DIGEST)


def test_a_longer_life_needs_another_signature() -> None:
    digits, end, random, mac = sessions.issue(DIGEST, NOW).split(".")
    forged = f"{digits}.{int(end) + 1}.{random}.{mac}"
    assert is_current(forged, NOW)
    assert not is_of(forged, DIGEST)


@pytest.mark.parametrize(
    "text", ["", "x", "a.b.c.d", "é" * 120, "0" * 8 + ".99999999999.." + "0" * 64, ".".join("0000")]
)
def test_a_text_of_another_form_is_no_cookie(text: str) -> None:
    assert not is_current(text, NOW)


def test_a_csrf_token_is_of_one_cookie_and_no_cookie() -> None:
    cookie, other = sessions.issue(DIGEST, NOW), sessions.issue(DIGEST, NOW)
    csrf = csrf_of(cookie, DIGEST)
    assert has_csrf({"X-CSRF-Token": csrf}, cookie, DIGEST)
    for wrong in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": csrf_of(other, DIGEST)}, {"X-CSRF-Token": "\udcff"}):
        assert not has_csrf(wrong, cookie, DIGEST)
    assert not has_csrf({"X-CSRF-Token": cookie.rpartition(".")[2]}, cookie, DIGEST)
    assert not is_of(f"{cookie.rpartition('.')[0]}.{csrf}", DIGEST)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (None, "reversal_session"),
        ("desk.example", "reversal_session"),
        ("localhost:8001", "reversal_session_8001"),
        ("[::1]:8001", "reversal_session_8001"),
        ("[::1]", "reversal_session"),
        ("desk.example:x", "reversal_session"),
        ("[", "reversal_session"),
    ],
)
def test_the_name_has_the_port_that_the_browser_names(host: str | None, name: str) -> None:
    assert cookie_name(host) == name


def test_the_cookie_is_found_among_others() -> None:
    given = "a=b; reversal_session=old;  reversal_session_8001=mine ; reversal_session_8002=other"
    assert cookies_of({"Host": "x:8001", "Cookie": given}) == ["mine"]
    assert cookies_of({"Host": "x", "Cookie": given}) == ["old"]
    assert cookies_of({"Host": "x:8003", "Cookie": given}) == []
    assert cookies_of({"Host": "x", "Cookie": "a=reversal_session"}) == []
    assert cookies_of({"Host": "x"}) == []
    assert cookies_of({"Host": "x", "Cookie": "reversal_session=a; reversal_session=b=c"}) == ["a", "b=c"]


@pytest.mark.parametrize(
    ("headers", "same"),
    [
        ({}, True),
        ({"Origin": "http://desk.example:8000"}, True),
        ({"Origin": "http://DESK.example:8000"}, True),
        ({"Origin": "http://desk.example:8001"}, False),
        ({"Origin": "http://desk.example"}, False),
        ({"Origin": "http://other.example:8000"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
        ({"Origin": "http://[evil]"}, False),
        ({"Origin": "http://desk.example:99999"}, False),
        ({"Origin": "http://behind.example", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://desk.example:8000", "Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "none"}, True),
    ],
)
def test_only_our_own_pages_are_of_the_same_origin(headers: dict[str, str], *, same: bool) -> None:
    assert is_same_origin({"Host": "desk.example:8000"} | headers) is same


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("https://desk.example", "desk.example", True),
        ("https://desk.example", "desk.example:443", True),
        ("http://desk.example", "desk.example:443", False),
        ("https://desk.example:8443", "desk.example", False),
        ("http://[::1]:8000", "[::1]:8000", True),
    ],
)
def test_a_port_that_is_not_written_is_the_usual_one(origin: str, host: str, *, same: bool) -> None:
    assert is_same_origin({"Host": host, "Origin": origin}) is same
