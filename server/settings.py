"""Settings: read once from flags and the environment, checked, frozen and passed down."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from core.store.opening import check_url, identity
from server import cpus
from server.auth.access import Level, Token, text_of, tokens
from server.auth.hosts import host_names

PREFIX = "REVERSAL_"
_AUTO = "auto"
_MOST_WORKERS = 64
# As browsers send it (RFC 6454, section 6.2): no path, and no port that is the scheme's own.
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+", re.ASCII)
_A_FLAG = re.compile("--[a-z_-]+", re.ASCII)
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


class SettingsError(ValueError):
    """A setting cannot be used; the message names it, its value and what was expected."""


class Unusable(ValueError):
    """Why a value cannot be used and what to do, in words that quote no secret."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the service was started with."""

    host: str
    port: int
    workers: int
    models: Path
    state_url: str
    journals: Path
    journals_mib: int
    user_key: str | None
    max_in_flight: int
    request_timeout_ms: int
    out_of_range: Literal["warn", "refuse"]
    grace_seconds: int
    api_token: str
    api_token_file: Path | None
    admin_token: str
    admin_token_file: Path | None
    insecure: bool
    tls_certificate: Path | None
    tls_key: Path | None
    cors_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    audit: Path
    timezone: ZoneInfo
    environment: str
    log_level: str

    @property
    def guarded(self) -> bool:
        """Whether there should be tokens."""
        given = (self.api_token, self.api_token_file, self.admin_token, self.admin_token_file)
        return any(each for each in given)

    @property
    def tokens(self) -> list[Token]:
        """Read now: a worker that is started anew sees a file's new ones. Raises OSError, or ValueError for none."""
        found: list[Token] = []
        for level, text, file in (
            (Level.API, self.api_token, self.api_token_file),
            (Level.ADMIN, self.admin_token, self.admin_token_file),
        ):
            if text:
                found += _tokens(level, text)
            if file is not None:
                found += _tokens_of_file(level, str(file))
        return found

    @property
    def journal_folder(self) -> Path:
        """Where this store's journals are: those of another one must never be drained into it."""
        return self.journals / hashlib.sha256(os.fsencode(identity(self.state_url))).hexdigest()[:16]


class Setting(NamedTuple):
    """One setting: the environment variable, the flag made of `name`, and how its text becomes a value."""

    name: str
    variable: str
    default: str
    parse: Callable[[str], Any]
    expected: str
    help: str
    secret: bool = False  # its text may hold a password, and is not repeated
    check: Callable[[str], object] | None = None  # of a text that was given, even an empty one; raises ValueError

    @property
    def flag(self) -> str:
        """The command line's name for it."""
        return "--" + self.name.replace("_", "-")


def _integer(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
            raise ValueError
        return int(text)

    return parse


def _workers(text: str) -> int:
    return min(cpus.available(), _MOST_WORKERS) if text == _AUTO else _integer(1, _MOST_WORKERS)(text)


def _state_url(text: str) -> str:
    _text(text)
    try:
        check_url(text)
    except ValueError as error:  # it quotes no secret
        raise Unusable(str(error)) from None
    return text


def _user_key(text: str) -> str | None:
    """Whatever secret is given becomes 32 bytes, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest() if text else None


def _text(text: str) -> str:
    text.encode()  # a variable may hold bytes that are no text, and answers repeat some of these
    if not text.strip():
        raise ValueError
    return text


def _folder(text: str) -> Path:
    folder = Path(_text(text))
    if not folder.is_dir():
        raise ValueError
    return folder


def _words(text: str) -> str:
    text.encode()
    return text


def _tokens(level: Level, text: str) -> list[Token]:
    """Raises Unusable where there is none: the server would then ask for no token."""
    try:
        found = tokens([text], level)
    except ValueError as error:
        raise Unusable(str(error)) from None
    if not found:
        raise Unusable("it holds no token (blanks, commas and comments are none): give one, or do not set it at all")
    return found


def _tokens_of_file(level: Level, name: str) -> list[Token]:
    """Likewise, for the text in a file. Raises OSError, too."""
    if not name:
        raise Unusable("it names no file: name one with a token in it, or do not set it at all")
    try:
        found = tokens([text_of(Path(name))], level)
    except ValueError as error:
        raise Unusable(str(error)) from None
    if not found:
        raise Unusable(
            f"the file {name!r} holds no token (blanks, commas and comments are none): write one into it,"
            " or do not set it at all"
        )
    return found


def _optional_file(text: str) -> Path | None:
    if not text:
        return None
    file = Path(_text(text))
    if not file.is_file():
        raise ValueError
    file.open("rb").close()  # raises OSError where it may not be read
    return file


def _flag(text: str) -> bool:
    return {"0": False, "1": True}[text]


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(text.replace(",", " ").split())
    if not all(_ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError
    return origins


def _out_of_range(text: str) -> str:
    if text not in {"warn", "refuse"}:
        raise ValueError
    return text


def _log_level(text: str) -> str:
    if text.lower() not in LOG_LEVELS:
        raise ValueError
    return text.lower()


SETTINGS = (
    Setting("host", f"{PREFIX}HOST", "127.0.0.1", _text, "an address or host name", "the address to listen on"),
    Setting(
        "port",
        f"{PREFIX}PORT",
        "8000",
        _integer(0, 65535),
        "an integer from 0 to 65535",
        "the port to listen on, 0: any",
    ),
    Setting(
        "workers",
        f"{PREFIX}WORKERS",
        _AUTO,
        _workers,
        f"an integer from 1 to {_MOST_WORKERS}, or {_AUTO}",
        f"processes that predict; {_AUTO}: as many as there are CPUs to use, counting a container's limit",
    ),
    Setting("models", f"{PREFIX}MODELS", "models/onnx", _folder, "a folder that exists", "the folder of bundles"),
    Setting(
        "state_url",
        f"{PREFIX}STATE_URL",
        "sqlite:///data/state.db",
        _state_url,
        "sqlite:///path/to/file or postgresql://user:password@host/database",
        "where experiments, outcomes and the active version live",
        secret=True,
    ),
    Setting(
        "journals",
        f"{PREFIX}JOURNALS",
        "data/journals",
        lambda t: Path(_text(t)),
        "a folder",
        "the folder of what is recorded and not yet in the store",
    ),
    Setting(
        "journals_mib",
        f"{PREFIX}JOURNALS_MIB",
        "1024",
        _integer(1, 1 << 20),
        "an integer from 1 to 1048576",
        "the most that the journals may hold",
    ),
    Setting(
        "user_key",
        f"{PREFIX}USER_KEY",
        "",
        _user_key,
        "any text",
        "the secret under which users are written down; without it the store keeps one",
    ),
    Setting(
        "max_in_flight",
        f"{PREFIX}MAX_IN_FLIGHT",
        "256",
        _integer(1, 65536),
        "an integer from 1 to 65536",
        "requests that each worker has in hand at the same time; more are refused with 503",
    ),
    Setting(
        "request_timeout_ms",
        f"{PREFIX}REQUEST_TIMEOUT_MS",
        "10000",
        _integer(1, 60_000),
        "an integer from 1 to 60000",
        "milliseconds from a request's head to the beginning of its work, where it says nothing else itself",
    ),
    Setting(
        "out_of_range",
        f"{PREFIX}OUT_OF_RANGE",
        "warn",
        _out_of_range,
        "warn or refuse",
        "what happens to input far outside what a version was fitted on: an answer with a warning, or 422",
    ),
    Setting(
        "grace_seconds",
        f"{PREFIX}GRACE_SECONDS",
        "1",
        _integer(0, 600),
        "an integer from 0 to 600",
        "how long all is still answered after a SIGTERM, while /readyz sends new requests elsewhere",
    ),
    Setting(
        "api_token",
        f"{PREFIX}API_TOKEN",
        "",
        _words,
        "tokens, or name:token, with blanks in between",
        "the tokens with which to predict, compare, read and report outcomes",
        secret=True,
        check=partial(_tokens, Level.API),
    ),
    Setting(
        "api_token_file",
        f"{PREFIX}API_TOKEN_FILE",
        "",
        _optional_file,
        "a file that can be read",
        "a file with more of them",
        check=partial(_tokens_of_file, Level.API),
    ),
    Setting(
        "admin_token",
        f"{PREFIX}ADMIN_TOKEN",
        "",
        _words,
        "tokens, or name:token, with blanks in between",
        "the tokens with which to do that, and to load, unload, switch and run experiments",
        secret=True,
        check=partial(_tokens, Level.ADMIN),
    ),
    Setting(
        "admin_token_file",
        f"{PREFIX}ADMIN_TOKEN_FILE",
        "",
        _optional_file,
        "a file that can be read",
        "a file with more of them",
        check=partial(_tokens_of_file, Level.ADMIN),
    ),
    Setting(
        "insecure",
        f"{PREFIX}INSECURE",
        "0",
        _flag,
        "0 or 1",
        "1: listen on an address that others reach although there are no tokens",
    ),
    Setting(
        "tls_certificate",
        f"{PREFIX}TLS_CERTIFICATE",
        "",
        _optional_file,
        "a file that can be read",
        "a PEM file with the certificate and its chain: then HTTPS alone is spoken",
    ),
    Setting(
        "tls_key",
        f"{PREFIX}TLS_KEY",
        "",
        _optional_file,
        "a file that can be read",
        "a PEM file with the certificate's key",
    ),
    Setting(
        "cors_origins",
        f"{PREFIX}CORS_ORIGINS",
        "",
        _origins,
        "origins such as https://desk.example, with blanks in between",
        "the origins whose pages may call this service from a browser",
    ),
    Setting(
        "allowed_hosts",
        f"{PREFIX}ALLOWED_HOSTS",
        "",
        host_names,
        "host names such as desk.example, without scheme and port, with blanks in between",
        "names beside localhost by which it is called where it listens on loopback without tokens, as by a proxy",
    ),
    Setting(
        "audit",
        f"{PREFIX}AUDIT",
        "data/audit.jsonl",
        lambda t: Path(_text(t)),
        "a file",
        "the file to which every management call is appended",
    ),
    Setting(
        "timezone",
        f"{PREFIX}TIMEZONE",
        "UTC",
        lambda t: ZoneInfo(_text(t)),
        "an IANA time zone such as Europe/Berlin",
        "the time zone of the outer timestamp",
    ),
    Setting("environment", "ENVIRONMENT", "production", _text, "a name", "what /health reports as environment"),
    Setting("log_level", "LOG_LEVEL", "info", _log_level, f"one of {', '.join(LOG_LEVELS)}", "the least to log"),
)


def read(arguments: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Take each setting from its flag, else its variable if that is not empty, else its default.

    Raises SettingsError.
    """
    parser = argparse.ArgumentParser(
        prog="python -m server", description="Candles in, signal out, over HTTP.", allow_abbrev=False
    )
    for setting in SETTINGS:
        help_text = f"{setting.help} ({setting.variable}; default {setting.default})"
        parser.add_argument(setting.flag, dest=setting.name, metavar="VALUE", help=help_text)
    found, unknown = parser.parse_known_args(arguments)
    if unknown:  # argparse would quote them all, and behind a misspelt flag is its value
        named = [flag for word in unknown if _A_FLAG.fullmatch(flag := word.partition("=")[0])]
        parser.error(f"unrecognized arguments: {' '.join(named) or 'a value without its flag'}")
    flags = vars(found)
    return Settings(**{setting.name: _value(setting, flags[setting.name], environ) for setting in SETTINGS})


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """The variables with our prefix that are no setting: most likely typing errors."""
    known = {setting.variable for setting in SETTINGS}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def _value(setting: Setting, flag: str | None, environ: Mapping[str, str]) -> Any:  # noqa: ANN401 - each has its type
    name = setting.variable if flag is None else setting.flag
    given = (environ.get(setting.variable) or None) if flag is None else flag
    text = setting.default if given is None else given
    try:
        value = setting.parse(text)
        if given is not None and setting.check is not None:
            setting.check(given)
    except Unusable as error:
        raise SettingsError(f"{name}: {error}") from None
    # ZoneInfo raises KeyError for a name that it does not have, and OSError for a folder's.
    except (ValueError, KeyError, OSError):
        shown = "what is given" if setting.secret else repr(text)
        raise SettingsError(f"{name}: {shown} is not valid, expected {setting.expected}") from None
    return value
