"""Sessions of the page at /dashboard: a cookie that a token signs, so that no process has to remember it.

A cookie is `<digits of the token's hash>.<end>.<random digits>.<HMAC-SHA256>`. The key of the HMAC is the token's hash:
all workers and replicas with the token accept the cookie, also after a restart, and none accepts it without the token.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

# Twelve hours: a working day.
SECONDS = 12 * 3600
# The request header that shows that our page has sent a request, and no page of another origin.
CSRF_HEADER = "X-CSRF-Token"

_NAME = "reversal_session"
_COOKIE = re.compile(r"([0-9a-f]{8})\.([0-9]{1,12})\.[0-9a-f]{32}\.[0-9a-f]{64}", re.ASCII)
# Contexts: a cookie's HMAC is none of a CSRF token.
_SESSION, _CSRF = b"reversal session 1\0", b"reversal csrf 1\0"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def cookie_name(host: str | None) -> str:
    """The cookie's name for a request with this Host. It has the port, because browsers send cookies to all ports.

    Otherwise two servers on one machine would overwrite each other's sessions.
    """
    port = _port(host)
    return _NAME if port is None else f"{_NAME}_{port}"


def cookies_of(headers: Mapping[str, str]) -> list[str]:
    """The texts of a request's session cookies.

    A browser can send several of one name: a page of another port can set one for a longer path, which is sent first.
    """
    given = headers.get("Cookie")
    if given is None or _NAME not in given:
        return []
    wanted = cookie_name(headers.get("Host"))
    pairs = (pair.partition("=") for pair in given.split(";"))
    return [value.strip() for name, _, value in pairs if name.strip() == wanted]


def issue(digest: bytes, now: float) -> str:
    """A new cookie of the token with this hash. now: seconds since 1970."""
    payload = f"{digest.hex()[:8]}.{int(now) + SECONDS}.{secrets.token_hex(16)}"
    return f"{payload}.{_mac(digest, _SESSION, payload)}"


def is_current(cookie: str, now: float) -> bool:
    """Whether a text has the form of a cookie that has not ended. It can still be forged."""
    found = _COOKIE.fullmatch(cookie)
    return found is not None and now < int(found[2])


def is_of(cookie: str, digest: bytes) -> bool:
    """Whether the token with this hash has signed a current cookie."""
    payload, _, mac = cookie.rpartition(".")
    return hmac.compare_digest(_mac(digest, _SESSION, payload), mac)


def csrf_of(cookie: str, digest: bytes) -> str:
    """The CSRF token of a cookie."""
    return _mac(digest, _CSRF, cookie)


def has_csrf(headers: Mapping[str, str], cookie: str, digest: bytes) -> bool:
    """Whether a request has the CSRF token of its cookie."""
    given = headers.get(CSRF_HEADER, "").encode(errors="surrogateescape")
    return hmac.compare_digest(csrf_of(cookie, digest).encode(), given)


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a request is from our own page, or from no page.

    Pages of other ports count as the same site, so their requests have the cookie. Browsers say with Sec-Fetch-Site
    what they are, but only over HTTPS and on loopback; otherwise the Origin is compared with the Host.
    """
    fetched = headers.get("Sec-Fetch-Site")
    if fetched is not None:
        return fetched in ("same-origin", "none")
    origin = headers.get("Origin")
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
        given = parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
        own = urlsplit(f"{parts.scheme}://{headers.get('Host', '')}")
        return given == (own.hostname, own.port or _DEFAULT_PORTS.get(parts.scheme)) and given[0] is not None
    except ValueError:  # no URL
        return False


def _mac(digest: bytes, context: bytes, text: str) -> str:
    return hmac.new(digest, context + text.encode(), hashlib.sha256).hexdigest()


def _port(host: str | None) -> int | None:
    try:
        return urlsplit(f"//{host or ''}").port
    except ValueError:
        return None
