"""PostgreSQL URLs: the database that they name, their errors, and the secrets in them.

If a password contains an @ or a /, libpq takes the part behind it for the host and quotes it in its errors. So such a
URL is refused, and no error here quotes any part of a URL.
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
# libpq marks options that a program should not show with this character.
_SECRET = b"*"
# URL parameters that libpq accepts for compatibility with JDBC, though they are not among its options.
_OF_JDBC = frozenset({"ssl"})
# A secret with at least this many characters is hidden within words, too. A shorter one is part of many words.
_LONG = 8


def options(url: str) -> dict[str, str]:
    """The connection options that libpq reads in a URL.

    Raises ValueError for an invalid URL; the message quotes nothing of it.
    """
    if fault := _misleading(url):
        raise ValueError(f"{fault}; {_EXPECTED}")
    try:
        return {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except UnicodeError:
        fault = "the percent-encoded characters are not UTF-8"
    except (psycopg.Error, ValueError):
        fault = _unreadable(url)
    raise ValueError(f"{fault}; {_EXPECTED}")


def identity(url: str) -> str:
    """The identity of the database: `host:port/database`, independent of the user and of the URL's notation.

    Missing parts are filled in as libpq does, see https://www.postgresql.org/docs/current/libpq-connect.html. An
    address (`hostaddr`) or a service is part of the identity, so one database can have two identities, but two
    databases never share one.
    Raises ValueError as `options` does, and for invalid hosts and ports.
    """
    defaults = {each.keyword.decode(): each.val.decode() for each in pq.Conninfo.get_defaults() if each.val}
    known = defaults | options(url)
    hosts = known.get("host", "").split(",")
    ports = known["port"].split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    if len(ports) != len(hosts):
        raise ValueError(f"the number of ports differs from the number of hosts; {_EXPECTED}")
    if not all(map(_is_port, ports)):
        raise ValueError(f"the port is not a number from 1 to {_PORTS - 1}; {_EXPECTED}")
    if "hostaddr" not in known and not all(map(_can_be_looked_up, hosts)):
        raise ValueError(f"the host is not a valid host name; {_EXPECTED}")
    found = ",".join(f"{host}:{int(port or _PORT)}" for host, port in zip(hosts, ports, strict=True))
    others = [f"{name}={known[name]}" for name in ("hostaddr", "service") if name in known]
    return " ".join([f"{found}/{known.get('dbname') or known.get('user', '')}", *others])


def hiding(url: str) -> Callable[[str], str]:
    """A function that replaces secrets in a text by ***.

    The secrets are those of the URL, both decoded and as written there, and those of the environment.
    Raises ValueError as `options` does.
    """
    given = options(url)
    secrets = [each for each in pq.Conninfo.get_defaults() if each.dispchar == _SECRET]
    kinds = {each.keyword.decode() for each in secrets}
    secret = {given[kind] for kind in kinds if kind in given} | set(_encoded(url, kinds))
    secret |= {each.val.decode(errors="replace") for each in secrets if each.val}
    # A secret equal to a visible part, such as the user's name, is not hidden: the gap in the text would reveal it.
    shown = {part for kind, value in given.items() if kind not in kinds for part in (value, *value.split(","))}
    # The longest first, because a shorter secret can be a part of it.
    words = sorted(secret - shown - {""}, key=len, reverse=True)
    if not words:
        return str
    one_of_them = re.compile("|".join(map(_pattern, words)))
    return lambda text: one_of_them.sub("***", text)


def _misleading(url: str) -> str | None:
    """What is ambiguous in a URL, so that libpq could read it differently than intended; None if nothing is."""
    before, _, behind = url.partition("://")[2].partition("@")
    if "@" in behind:
        return "more than one @; in a user name or password, write @ as %40"
    if "@" in url and ("/" in before or "?" in before):
        return "a / or ? before the @; in a user name or password, write / as %2F and ? as %3F"
    if _NO_ESCAPE.search(url):
        return "a % without two hexadecimal digits behind it; in a user name or password, write % as %25"
    return None


def _unreadable(url: str) -> str:
    """What is wrong with a URL that libpq refuses. libpq's message is not used, because it can quote the password."""
    place, _, query = url.partition("?")
    if place.count("[") != place.count("]"):
        return "unbalanced [ or ]; they enclose an IPv6 address, in a password write %5B and %5D"
    known = {each.keyword.decode() for each in pq.Conninfo.get_defaults()} | _OF_JDBC
    pairs = [parameter.split("=") for parameter in query.split("&")]
    if query and not all(pair[0] in known and len(pair) == 2 for pair in pairs):  # noqa: PLR2004 - name and value
        return "a parameter is unknown to libpq or is not name=value; in a value, write & as %26 and = as %3D"
    return "libpq cannot read this PostgreSQL URL"


def _encoded(url: str, kinds: set[str]) -> Iterator[str]:
    """The secrets of a URL as they are written there, possibly percent-encoded."""
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
    """Whether Python can look up the host. It raises UnicodeError for some names, such as two dots in a row."""
    try:
        host.encode("idna")
    except UnicodeError:
        return host.startswith(("/", "@"))  # a Unix socket
    return True
