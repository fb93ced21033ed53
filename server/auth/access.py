"""Access control by tokens and their sessions: one level for predictions and reading, one for management."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from time import monotonic, time
from typing import NamedTuple, NoReturn
from urllib.parse import urlsplit

from core.errors import ServiceError
from core.log_event import LogEvent
from server.auth import sessions
from server.auth.failed_tokens import LIMIT, WINDOW_SECONDS, FailedTokens
from server.auth.hosts import Hosts, is_loopback

log = logging.getLogger(__name__)

# A wrong token of an address with too many of them is answered after this pause.
WAIT_SECONDS = 1.0
# At most one line about addresses over the limit is logged in this many seconds.
_LOG_SECONDS = 1.0
# A token with fewer characters counts as short. Sixteen hexadecimal digits are 64 bits: at ten guesses a second, trying
# them all takes longer than the age of the universe.
SHORT = 16

# The name of callers if there are no tokens.
_NO_TOKEN = "anybody"  # noqa: S105 # plain-english: a value in the audit log

# Methods that change nothing (RFC 9110, section 9.2.1).
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Level(IntEnum):
    """What a token allows, and what an endpoint requires. Each level includes the one before; OPEN needs no token."""

    OPEN = 0
    API = 1
    ADMIN = 2


class Unauthorized(ServiceError):
    """The request has no token, or an unknown one."""

    code = "UNAUTHORIZED"


class Forbidden(ServiceError):
    """The token is valid, but not for this endpoint. Without tokens: the Host or the page's origin is not allowed."""

    code = "FORBIDDEN"


class RateLimited(ServiceError):
    """Too many wrong tokens were sent from this address.

    retry_after: seconds after which they no longer count.
    """

    code = "RATE_LIMITED"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Token(NamedTuple):
    """A token's name in the audit log, its level, its hash, and whether it is short. The token itself is not kept."""

    name: str
    level: Level
    digest: bytes
    short: bool


class _Forged(Exception):
    """No token of the server has signed the session."""


class SignedIn(NamedTuple):
    """A session: its token, and the cookie that the token has signed."""

    token: Token
    cookie: str

    @property
    def csrf(self) -> str:
        """The text that the page sends with a request that can change state."""
        return sessions.csrf_of(self.cookie, self.token.digest)

    def require_csrf(self, headers: Mapping[str, str]) -> None:
        """Raise Forbidden unless our own page has sent a request. Browsers add a cookie to requests of other pages."""
        _require_own_page(headers)
        if not sessions.has_csrf(headers, self.cookie, self.token.digest):
            raise Forbidden(
                f"the session needs the header {sessions.CSRF_HEADER} with the csrf of GET /dashboard/session; or send"
                " the header Authorization: Bearer <token>"
            )


def _require_own_page(headers: Mapping[str, str]) -> None:
    """Raise Forbidden for a request of a page of another origin."""
    if not sessions.is_same_origin(headers):
        raise Forbidden(
            "a page of another origin cannot use sessions; a proxy must pass the Host header on, or serve HTTPS"
        )


def _is_local(origin: str | None) -> bool:
    """Whether a request is from no web page, or from a page of this machine. A browser sends requests for any page."""
    if origin is None:
        return True
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:  # the origin is not a URL
        return False
    return host == "localhost" or is_loopback(host)


class Access:
    """The valid tokens. If there are none, every request is allowed, except from pages of other machines."""

    def __init__(
        self,
        known: Iterable[Token],
        failed: FailedTokens | None = None,
        *,
        hosts: Hosts | None = None,
        origins: Sequence[str] = (),
    ) -> None:
        """`failed`: counts the wrong tokens, for all workers together; None: for this object only.

        `hosts` and `origins` apply only without tokens: the allowed Host values (None: any), and page origins.
        """
        self._known = tuple(known)
        self._failed = failed or FailedTokens()
        self._hosts = hosts
        self._origins = frozenset(origins)
        self._limited = 0  # addresses over the limit that no line has named yet
        self._limited_due = 0.0  # of time.monotonic: when the next such line may be written

    @property
    def guarded(self) -> bool:
        """Whether there are tokens."""
        return bool(self._known)

    def find(self, headers: Mapping[str, str]) -> Token | None:
        """The bearer token of a request; None if it has no valid one."""
        scheme, _, text = headers.get("Authorization", "").partition(" ")
        found = self._known_as(text.strip())
        return found if scheme.lower() == "bearer" else None

    def _known_as(self, text: str) -> Token | None:
        digest = hashlib.sha256(text.encode(errors="surrogateescape")).digest()  # a header can be any bytes
        found = None
        for token in self._known:  # all of them are compared, so that the time reveals nothing
            if hmac.compare_digest(token.digest, digest) and (found is None or token.level > found.level):
                found = token
        return found

    def allows(self, headers: Mapping[str, str], level: Level) -> bool:
        """Whether a request's bearer token has the level; without tokens, whether its Host names this server.

        A request with a session is not allowed here, where every microsecond counts: `check` allows it.
        """
        if not self._known:
            hosts, host = self._hosts, headers.get("Host")
            return hosts is None or host in hosts.good or hosts.has(host)
        token = self.find(headers)
        return token is not None and token.level >= level

    def caller(self, headers: Mapping[str, str]) -> str:
        """The name of a request that `allows` has allowed."""
        token = self.find(headers) if self._known else None
        return _NO_TOKEN if token is None else token.name

    def manages(self, headers: Mapping[str, str]) -> bool:
        """Whether a request that has passed `check` may also use ADMIN endpoints."""
        if not self._known:
            return _is_local(headers.get("Origin"))
        token = self.find(headers)
        if token is None and not _sent(headers):
            session = self._session(headers)
            token = None if session is None else session.token
        return token is not None and token.level >= Level.ADMIN

    def level_of_page(self, headers: Mapping[str, str]) -> Level:
        """What a page of this server may do without tokens. A browser names no Origin in requests that only read."""
        return Level.ADMIN if _is_local(headers.get("Origin", f"http://{headers.get('Host', '')}")) else Level.API

    def _session(self, headers: Mapping[str, str]) -> SignedIn | None:
        """The session of a request; None if it has no current cookie. Raises _Forged if no token has signed it."""
        now = time()
        # Only one is tried: several would be several guesses of a token.
        cookie = next((each for each in sessions.cookies_of(headers) if sessions.is_current(each, now)), None)
        if cookie is None:
            return None
        found = None
        for token in self._known:
            if sessions.is_of(cookie, token.digest) and (found is None or token.level > found.level):
                found = token
        if found is None:
            raise _Forged
        return SignedIn(found, cookie)

    async def session(self, headers: Mapping[str, str], address: str) -> SignedIn | None:
        """The session of a request; None if it has none.

        A cookie that no token has signed counts as a wrong token, because it can be made of a guess: Unauthorized, or
        RateLimited.
        """
        try:
            return self._session(headers)
        except _Forged:
            await self._refuse(address, "the session has ended; sign in again")

    async def sign_in(self, text: str, headers: Mapping[str, str], address: str) -> SignedIn:
        """A new session of a token. Raises Unauthorized or RateLimited, and Forbidden for a page of another origin."""
        _require_own_page(headers)
        token = self._known_as(text)
        if token is None:
            await self._refuse(address, "the token is wrong")
        return SignedIn(token, sessions.issue(token.digest, time()))

    def check_host(self, host: str | None) -> None:
        """Raise Forbidden if there are no tokens and the Host does not name this server."""
        if not self._known and self._hosts is not None and not self._hosts.has(host):
            raise Forbidden(
                "the Host header does not name this server; without tokens the server accepts IP addresses, localhost"
                " and names without a dot; to accept another name, list it in REVERSAL_ALLOWED_HOSTS"
            )

    def check_origin(self, method: str, origin: str | None) -> None:
        """Raise Forbidden if there are no tokens and a page of another origin sends a request that can change state."""
        if self._known or method in _SAFE or origin in self._origins or _is_local(origin):
            return
        raise Forbidden(
            f"a page of another origin cannot send {method} requests to a server without tokens; list the page's origin"
            " in REVERSAL_CORS_ORIGINS, or set tokens"
        )

    async def check(self, headers: Mapping[str, str], address: str, level: Level, method: str = "POST") -> str:
        """The caller's name. Raises Unauthorized, Forbidden, or after many failures of its address RateLimited.

        The bearer token decides; a request without one can have a session.
        """
        if not self._known:
            if level is Level.ADMIN and not self.manages(headers):
                raise Forbidden("a page of another machine cannot manage a server without tokens; set tokens")
            return _NO_TOKEN
        token = self.find(headers)
        if token is None and not _sent(headers):
            session = await self.session(headers, address)
            if session is None:
                raise Unauthorized("the token is missing; send the header Authorization: Bearer <token>")
            if method not in _SAFE:
                session.require_csrf(headers)
            token = session.token
        if token is None:
            await self._refuse(address, "the token is wrong; send the header Authorization: Bearer <token>")
        if token.level >= level:
            return token.name
        raise Forbidden(f"the token {token.name} is not allowed here; use an {level.name.lower()} token")

    async def _refuse(self, address: str, message: str) -> NoReturn:
        """Count a wrong token. Raises Unauthorized, or after many of them from this address RateLimited."""
        wrong = self._failed.add(address)
        if not wrong.refused:
            raise Unauthorized(message)
        if wrong.number == LIMIT + 1:
            self._log_limited(address)
        await asyncio.sleep(WAIT_SECONDS)
        raise RateLimited(
            f"more than {LIMIT} wrong tokens from this address in {WINDOW_SECONDS:g} s; correct the token, or retry in"
            f" {wrong.retry_after} s",
            wrong.retry_after,
        )

    def _log_limited(self, address: str) -> None:
        """Log that an address is over the limit, or leave it for the next such line: attackers can have thousands."""
        self._limited += 1
        now = monotonic()
        if now < self._limited_due:
            return
        effect = f"further wrong tokens are answered {WAIT_SECONDS:g} s later with 429"
        log.warning(LogEvent("address_rate_limited", address=address, limit=LIMIT, count=self._limited, effect=effect))
        self._limited, self._limited_due = 0, now + _LOG_SECONDS


def _sent(headers: Mapping[str, str]) -> str:
    """The token that a request sends, valid or not; empty if it sends none. Other schemes than Bearer send none."""
    scheme, _, text = headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""
