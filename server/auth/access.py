"""Access control by bearer tokens: one level for predictions and reading, one for management."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from time import monotonic
from typing import NamedTuple
from urllib.parse import urlsplit

from core.errors import ServiceError
from core.log_event import LogEvent
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

# The byte order mark that editors on Windows write at the start of a file. In joined files it is in the middle, too.
_BOM = "\ufeff"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


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


def tokens(texts: Iterable[str], level: Level) -> list[Token]:
    """The tokens in some texts. Each is a word of the form `token` or `name:token`; `#` begins a comment.

    A token without a name is named by its level and the first digits of its hash. Raises ValueError for a token that is
    empty or cannot be sent.
    """
    found = []
    for line in "\n".join(texts).replace(_BOM, "").splitlines():
        for word in line.partition("#")[0].replace(",", " ").split():
            name, _, token = word.rpartition(":")
            if not token:  # for example because the text was made from a variable that is not set
                raise ValueError(f"the {level.name.lower()} token of {name!r} is empty; write it after the colon")
            if not name.isprintable():  # the name goes into headers and the audit log
                fault = "has a character that cannot be printed; choose another name"
                raise ValueError(f"the name {name!r} of an {level.name.lower()} token {fault}")
            if not token.isprintable():  # such as the zero bytes of a UTF-16 file without a byte order mark
                fault = "has a character that cannot be printed; choose another token, and save a file as UTF-8 text"
                raise ValueError(f"the {level.name.lower()} token of {name!r} {fault}")
            digest = hashlib.sha256(token.encode()).digest()
            named = name or f"{level.name.lower()}-{digest.hex()[:8]}"
            found.append(Token(named, level, digest, len(token) < SHORT))
    return found


def tokens_of_text(level: Level, text: str) -> list[Token]:
    """The tokens in a setting. Raises ValueError if there is none, because the server would then require none."""
    found = tokens([text], level)
    if not found:
        raise ValueError("it holds no token (only blanks, commas or comments); write a token, or leave it unset")
    return found


def tokens_of_file(level: Level, name: str) -> list[Token]:
    """The tokens in a file. Raises ValueError if there is none, and OSError if the file cannot be read."""
    if not name:
        raise ValueError("it names no file; name a file that holds a token, or leave it unset")
    found = tokens([_text_of(Path(name))], level)
    if not found:
        raise ValueError(
            f"the file {name!r} holds no token (only blanks, commas or comments); write a token into it,"
            " or leave the setting unset"
        )
    return found


def _text_of(file: Path) -> str:
    """The text of a token file. Raises OSError, or ValueError if it is not UTF-8."""
    read = file.read_bytes()
    try:
        return read.decode()
    except UnicodeDecodeError:
        found = "is UTF-16" if read.startswith(_UTF_16) else "is not UTF-8"
        raise ValueError(f"the file {str(file)!r} {found}; save it as UTF-8 text") from None


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

    def find(self, headers: Mapping[str, str]) -> Token | None:
        """The token of a request; None if it has no valid one."""
        scheme, _, text = headers.get("Authorization", "").partition(" ")
        digest = hashlib.sha256(text.strip().encode(errors="surrogateescape")).digest()  # the header can be any bytes
        found = None
        for token in self._known:  # all of them are compared, so that the time reveals nothing
            if hmac.compare_digest(token.digest, digest) and (found is None or token.level > found.level):
                found = token
        return found if scheme.lower() == "bearer" else None

    def allows(self, headers: Mapping[str, str], level: Level) -> bool:
        """Whether a request's token has the level; without tokens, whether its Host names this server."""
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
        return token is not None and token.level >= Level.ADMIN

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

    async def check(self, headers: Mapping[str, str], address: str, level: Level) -> str:
        """The caller's name. Raises Unauthorized, Forbidden, or after many failures of its address RateLimited."""
        if not self._known:
            if level is Level.ADMIN and not self.manages(headers):
                raise Forbidden("a page of another machine cannot manage a server without tokens; set tokens")
            return _NO_TOKEN
        token = self.find(headers)
        if token is not None and token.level >= level:
            return token.name
        if token is not None:
            raise Forbidden(f"the token {token.name} is not allowed here; use an {level.name.lower()} token")
        if not _sent(headers):
            raise Unauthorized("the token is missing; send the header Authorization: Bearer <token>")
        wrong = self._failed.add(address)
        if not wrong.refused:
            raise Unauthorized("the token is wrong; send the header Authorization: Bearer <token>")
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
