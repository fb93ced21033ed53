"""Who may do what: bearer tokens, one kind for predictions and reading, one for management."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from core.errors import ServiceError
from server.auth.hosts import Hosts, is_loopback

log = logging.getLogger(__name__)

# So many failures of an address within so many seconds are answered at once; the next ones wait, and are told to.
FAILURES = 10
WINDOW_SECONDS = 60.0
WAIT_SECONDS = 1.0
# Characters. Sixteen hexadecimal digits are 64 bits: at ten guesses a second, more than the age of the universe.
SHORT = 16
# Addresses of which failures are remembered. An attacker who has more of them is not held up by this.
_ADDRESSES = 10_000

# Methods that change nothing (RFC 9110, section 9.2.1).
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

# The byte order mark with which Windows' editors begin a file; in the middle of one where files were joined.
_BOM = "\ufeff"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Level(IntEnum):
    """What a token is good for, and what an endpoint takes. Each includes the one before; OPEN takes no token."""

    OPEN = 0
    API = 1
    ADMIN = 2


class Unauthorized(ServiceError):
    """There is no token, or none that is known."""

    code = "UNAUTHORIZED"


class Forbidden(ServiceError):
    """The token is good, but not for this; without tokens: a page of another origin, or another host's name."""

    code = "FORBIDDEN"


class RateLimited(ServiceError):
    """Too many wrong tokens came from that address."""

    code = "RATE_LIMITED"


class Token(NamedTuple):
    """`name`: what the audit log calls its holder. `short`: whether it can be guessed. The token itself is not kept."""

    name: str
    level: Level
    digest: bytes
    short: bool


def tokens(texts: Iterable[str], level: Level) -> list[Token]:
    """Those that the lines of some texts hold, or their words: `token`, or `name:token`; `#` begins a comment.

    One without a name is called by its level and the first digits of its hash. Raises ValueError for one that is empty
    or cannot be sent.
    """
    found = []
    for line in "\n".join(texts).replace(_BOM, "").splitlines():
        for word in line.partition("#")[0].replace(",", " ").split():
            name, _, token = word.rpartition(":")
            if not token:  # what a variable that is not set leaves
                raise ValueError(f"the {level.name.lower()} token of {name!r} is empty: write it behind the colon")
            if not name.isprintable():  # it goes into headers and the audit log
                raise ValueError(f"{name!r} is no name for an {level.name.lower()} token")
            if not token.isprintable():  # as the zero bytes of a UTF-16 file without its mark
                fault = "has a character that cannot be printed: take another one, and save a file as UTF-8 text"
                raise ValueError(f"the {level.name.lower()} token of {name!r} {fault}")
            digest = hashlib.sha256(token.encode()).digest()
            named = name or f"{level.name.lower()}-{digest.hex()[:8]}"
            found.append(Token(named, level, digest, len(token) < SHORT))
    return found


def tokens_of_text(level: Level, text: str) -> list[Token]:
    """Those that a setting's text holds. Raises ValueError where there is none: the server would then ask for none."""
    found = tokens([text], level)
    if not found:
        raise ValueError("it holds no token (blanks, commas and comments are none): give one, or do not set it at all")
    return found


def tokens_of_file(level: Level, name: str) -> list[Token]:
    """Likewise, for the text in a file. Raises OSError, too."""
    if not name:
        raise ValueError("it names no file: name one with a token in it, or do not set it at all")
    found = tokens([_text_of(Path(name))], level)
    if not found:
        raise ValueError(
            f"the file {name!r} holds no token (blanks, commas and comments are none): write one into it,"
            " or do not set it at all"
        )
    return found


def _text_of(file: Path) -> str:
    """What a token file holds. Raises OSError, or ValueError where it is no UTF-8."""
    read = file.read_bytes()
    try:
        return read.decode()
    except UnicodeDecodeError:
        found = "is UTF-16" if read.startswith(_UTF_16) else "is not UTF-8"
        raise ValueError(f"the file {str(file)!r} {found}: save it as UTF-8 text") from None


def _is_local(origin: str | None) -> bool:
    """Whether no page sends a request, or one of this machine: browsers ask in their users' names for whatever page."""
    if origin is None:
        return True
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:  # it is no URL
        return False
    return host == "localhost" or is_loopback(host)


class Access:
    """The tokens that are good. With none of them everybody may do everything, but for pages of other machines."""

    def __init__(
        self,
        known: Iterable[Token],
        now: Callable[[], float] = time.monotonic,
        *,
        hosts: Hosts | None = None,
        origins: Sequence[str] = (),
    ) -> None:
        """Where there are no tokens: `hosts`: what a Host may be, null: anything; `origins`: whose pages may write."""
        self._known = tuple(known)
        self._now = now
        self._hosts = hosts
        self._origins = frozenset(origins)
        self._failures: dict[str, tuple[int, float]] = {}

    def find(self, headers: Mapping[str, str]) -> Token | None:
        """The token of a request, if it is a good one."""
        scheme, _, text = headers.get("Authorization", "").partition(" ")
        digest = hashlib.sha256(text.strip().encode(errors="surrogateescape")).digest()  # whatever bytes there were
        found = None
        for token in self._known:  # all of them, so that the time tells nothing
            if hmac.compare_digest(token.digest, digest) and (found is None or token.level > found.level):
                found = token
        return found if scheme.lower() == "bearer" else None

    def allows(self, headers: Mapping[str, str], level: Level) -> bool:
        """Whether a request may do what takes that level; without tokens, whether its Host is this server's."""
        if not self._known:
            hosts, host = self._hosts, headers.get("Host")
            return hosts is None or host in hosts.good or hosts.has(host)
        token = self.find(headers)
        return token is not None and token.level >= level

    def check_host(self, host: str | None) -> None:
        """Raise Forbidden where a request without a token names another server than this one."""
        if not self._known and self._hosts is not None and not self._hosts.has(host):
            raise Forbidden(
                "the Host header does not name this server: without tokens it answers to IP addresses, localhost and"
                " names without a dot; to have it answer to another name, set REVERSAL_ALLOWED_HOSTS to that"
            )

    def check_origin(self, method: str, origin: str | None) -> None:
        """Raise Forbidden where a page of another origin would change something and has no token to show."""
        if self._known or method in _SAFE or origin in self._origins or _is_local(origin):
            return
        raise Forbidden(
            f"without tokens pages of other origins may not send {method} requests: list the page's origin in"
            " REVERSAL_CORS_ORIGINS, or set tokens"
        )

    async def check(self, headers: Mapping[str, str], address: str, level: Level) -> str:
        """The name of who asks from an address. Raises Unauthorized, Forbidden, or after many failures RateLimited."""
        if not self._known:
            if level is Level.ADMIN and not _is_local(headers.get("Origin")):
                raise Forbidden("without tokens pages of other machines may not manage")
            return "anybody"
        token = self.find(headers)
        if token is not None and token.level >= level:
            return token.name
        if token is not None:
            raise Forbidden(f"the token {token.name} is not for this: an {level.name.lower()} token is")
        if self._failed(address):
            await asyncio.sleep(WAIT_SECONDS)
            raise RateLimited(f"more than {FAILURES} wrong tokens in {WINDOW_SECONDS:g} s")
        given = "the token is wrong" if "Authorization" in headers else "a token is needed"
        raise Unauthorized(f"{given}: send the header Authorization: Bearer <token>")

    def _failed(self, address: str) -> bool:
        """Note a failure; whether there have been too many."""
        now = self._now()
        count, since = self._failures.get(address, (0, now))
        if now > since + WINDOW_SECONDS:
            count, since = 0, now
        if len(self._failures) >= _ADDRESSES:
            self._failures.clear()
        self._failures[address] = (count + 1, since)
        if count == FAILURES:
            log.warning("more than %d wrong tokens came from %s", FAILURES, address)
        return count >= FAILURES
