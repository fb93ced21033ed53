"""PostgreSQL URLs: which database they name, what is wrong with them, and which of their words are secret.

libpq reads a password with an @ or a / in it as one that ends there, takes the rest for the host, and quotes that in
its errors. Such a URL is refused, and no sentence here quotes anything of a URL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

_PORT = 5432
_PORTS = 1 << 16
_EXPECTED = "expected postgresql://user@host:port/database"
_NO_ESCAPE = re.compile("%(?![0-9a-f]{2})", re.IGNORECASE)
# libpq's mark of an option that a program should not show.
_SECRET = b"*"
# Parameters of a URL that are no options of libpq: it takes this one as JDBC does.
_OF_JDBC = frozenset({"ssl"})
# From so many characters on a secret is looked for within words, too. A shorter one is part of many.
_LONG = 8


def options(url: str) -> dict[str, str]:
    """What libpq reads in a URL. Raises ValueError, in a sentence that quotes nothing of it."""
    if fault := _misleading(url):
        raise ValueError(f"{fault}; {_EXPECTED}")
    try:
        return {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except UnicodeError:
        fault = "what is percent-encoded in it is not UTF-8"
    except (psycopg.Error, ValueError):
        fault = _unreadable(url)
    raise ValueError(f"{fault}; {_EXPECTED}")


def identity(url: str) -> str:
    """Which database a URL names, however it is written and with whatever user: `host:port/database`.

    What it leaves out is as libpq fills it in, https://www.postgresql.org/docs/current/libpq-connect.html. A host given
    by address or by service as well is another one: rather two names for one database than one name for two.
    Raises ValueError as `options`, and for hosts and ports that are none.
    """
    defaults = {each.keyword.decode(): each.val.decode() for each in pq.Conninfo.get_defaults() if each.val}
    known = defaults | options(url)
    hosts = known.get("host", "").split(",")
    ports = known["port"].split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    if len(ports) != len(hosts):
        raise ValueError(f"it has more hosts than ports, or fewer; {_EXPECTED}")
    if not all(map(_is_port, ports)):
        raise ValueError(f"its port is not a number from 1 to {_PORTS - 1}; {_EXPECTED}")
    if "hostaddr" not in known and not all(map(_can_be_looked_up, hosts)):
        raise ValueError(f"its host is no name that can be looked up; {_EXPECTED}")
    found = ",".join(f"{host}:{int(port or _PORT)}" for host, port in zip(hosts, ports, strict=True))
    others = [f"{name}={known[name]}" for name in ("hostaddr", "service") if name in known]
    return " ".join([f"{found}/{known.get('dbname') or known.get('user', '')}", *others])


def hiding(url: str) -> Callable[[str], str]:
    """What puts *** in the place of secrets: a URL's, as they are and as it has them, and those of the environment.

    Raises ValueError as `options`.
    """
    given = options(url)
    secrets = [each for each in pq.Conninfo.get_defaults() if each.dispchar == _SECRET]
    kinds = {each.keyword.decode() for each in secrets}
    secret = {given[kind] for kind in kinds if kind in given} | set(_encoded(url, kinds))
    secret |= {each.val.decode(errors="replace") for each in secrets if each.val}
    # A password that is the user's name as well would be given away by what is missing, and hides nothing.
    shown = {part for kind, value in given.items() if kind not in kinds for part in (value, *value.split(","))}
    # The longest first: another one may be a part of it.
    words = sorted(secret - shown - {""}, key=len, reverse=True)
    if not words:
        return str
    one_of_them = re.compile("|".join(map(_pattern, words)))
    return lambda text: one_of_them.sub("***", text)


def _misleading(url: str) -> str | None:
    """Why libpq may read something else than is meant."""
    before, _, behind = url.partition("://")[2].partition("@")
    if "@" in behind:
        return "it has more than one @: an @ in a user name or password is written %40"
    if "@" in url and ("/" in before or "?" in before):
        return "a / or a ? is in front of its @: in a user name or password / is written %2F, and ? %3F"
    if _NO_ESCAPE.search(url):
        return "a % in it is not followed by two hexadecimal digits: a % in a user name or password is written %25"
    return None


def _unreadable(url: str) -> str:
    """Why libpq does not read a URL. Its own words may quote the password."""
    place, _, query = url.partition("?")
    if place.count("[") != place.count("]"):
        return "a [ or ] in it has no counterpart: they are for addresses of IPv6, and in a password %5B and %5D"
    known = {each.keyword.decode() for each in pq.Conninfo.get_defaults()} | _OF_JDBC
    pairs = [parameter.split("=") for parameter in query.split("&")]
    if query and not all(pair[0] in known and len(pair) == 2 for pair in pairs):  # noqa: PLR2004 - as a pair has
        return "of its parameters one is unknown to libpq, or is no name=value: in a value & is written %26, and = %3D"
    return "this PostgreSQL URL cannot be read"


def _encoded(url: str, kinds: set[str]) -> Iterator[str]:
    """The secrets in a URL as they are written there."""
    place, _, query = url.partition("://")[2].partition("?")
    user, at, _ = place.rpartition("@")
    if at:
        yield user.partition(":")[2]
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        if name in kinds:
            yield value


def _pattern(word: str) -> str:
    found = re.escape(word)
    return found if len(word) >= _LONG else rf"(?<!\w){found}(?!\w)"


def _is_port(text: str) -> bool:
    return text == "" or (text.isascii() and text.isdecimal() and 0 < int(text) < _PORTS)


def _can_be_looked_up(host: str) -> bool:
    """Whether Python does not fail in asking for it, as it does for two dots in a row."""
    try:
        host.encode("idna")
    except UnicodeError:
        return host.startswith(("/", "@"))  # a Unix socket
    return True
