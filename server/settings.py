"""Settings: read once from flags and the environment, checked, frozen and passed down.

A field of `Settings` declares a setting completely: the flag, the variable and the help line follow from it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from core.store.opening import check_url, identity
from server import cpus
from server.auth.access import Level, Token
from server.auth.client_address import TrustedProxies, trusted_proxies
from server.auth.hosts import host_names
from server.auth.token_texts import tokens_of_file, tokens_of_text
from server.settings_parsing import (
    FOLDER,
    OPTIONAL_FILE,
    ORIGINS,
    PREFIX,
    SHARE,
    SWITCH,
    TIME_ZONE,
    Kind,
    integer,
    path,
    setting,
    settings_of,
    text,
    unix_path,
    words,
)

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")

_AUTO = "auto"
_MOST_WORKERS = 64
_HERE = Path("models/onnx")
# The folder beside the packages, both in the source tree and in an installed wheel.
INSTALLED = Path(__file__).absolute().parents[1] / _HERE
_A_FLAG = re.compile("--[a-z_-]+", re.ASCII)


def _workers(given: str) -> int:
    return min(cpus.available(), _MOST_WORKERS) if given == _AUTO else integer(1, _MOST_WORKERS).parse(given)


def _optional_port(given: str) -> int | None:
    return integer(0, 65535).parse(given) if given else None


def _models(given: str) -> Path:
    if given == _AUTO:
        if _HERE.is_dir():
            return _HERE
        FOLDER.parse(str(INSTALLED))
        return INSTALLED
    return FOLDER.parse(given)


def _user_key(given: str) -> str | None:
    """Hash the secret to 32 bytes, in hexadecimal."""
    return hashlib.sha256(given.encode()).hexdigest() if given else None


def _out_of_range(given: str) -> Literal["warn", "refuse"]:
    if given == "warn":
        return "warn"
    if given == "refuse":
        return "refuse"
    raise ValueError


def _log_level(given: str) -> str:
    if given.lower() not in LOG_LEVELS:
        raise ValueError
    return given.lower()


def _log_format(given: str) -> Literal["text", "json"]:
    if given == "text":
        return "text"
    if given == "json":
        return "json"
    raise ValueError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of the server."""

    host: str = setting(
        "127.0.0.1",
        text("an address, a host name, or unix:/path"),
        "the address to listen on; unix:/path: a Unix socket",
        check=unix_path,
    )
    port: int = setting("8000", integer(0, 65535), "the port to listen on, 0: any")
    grpc_port: int | None = setting(
        "",
        Kind(_optional_port, "an integer from 0 to 65535, or nothing", "8001"),
        "the port for gRPC on the same address, 0: any; without it there is none; needs the extra grpc",
    )
    workers: int = setting(
        _AUTO,
        Kind(_workers, f"an integer from 1 to {_MOST_WORKERS}, or {_AUTO}"),
        f"processes that predict; {_AUTO}: one per CPU that the server may use, also in a container",
    )
    models: Path = setting(
        _AUTO,
        Kind(_models, FOLDER.expected, FOLDER.example),
        f"the folder of bundles; {_AUTO}: {_HERE} if that is a folder, or else the bundles that come with reversal",
    )
    state_url: str = setting(
        "sqlite:///data/state.db",
        text("sqlite:///path/to/file or postgresql://user:password@host/database"),
        "the store of experiments, outcomes and the active version",
        secret=True,
        check=check_url,
    )
    journals: Path = setting("data/journals", path("a folder"), "the folder of records that are not yet in the store")
    journals_mib: int = setting("1024", integer(1, 1 << 20), "the most that the journals may hold, in MiB")
    user_key: str | None = setting(
        "",
        Kind(_user_key, "text in UTF-8", "a-long-random-text"),
        "the secret from which the pseudonyms of users are computed; without it the store generates one",
        secret=True,
    )
    max_in_flight: int = setting(
        "256", integer(1, 65536), "requests that each worker processes at the same time; more are refused with 503"
    )
    request_timeout_ms: int = setting(
        "10000",
        integer(1, 60_000),
        "milliseconds from a request's head to the start of its work, unless the request has its own timeout",
    )
    out_of_range: Literal["warn", "refuse"] = setting(
        "warn",
        Kind(_out_of_range, "warn or refuse"),
        "the answer to input far outside the range that a version was fitted on: a warning, or 422",
    )
    grace_seconds: int = setting(
        "1",
        integer(0, 600),
        "seconds after a SIGTERM in which requests are still answered, while /readyz answers 503",
    )
    keepalive_seconds: int = setting(
        "75", integer(1, 3600), "seconds after which a connection without a request is closed"
    )
    fast_path: bool = setting("1", SWITCH, "0: every request takes aiohttp's normal path, which is slower")
    api_token: str = setting(
        "",
        words("tokens, each token or name:token, separated by blanks", "backend:a-long-random-token"),
        "tokens for predicting, comparing, reading and reporting outcomes",
        secret=True,
        check=partial(tokens_of_text, Level.API),
    )
    api_token_file: Path | None = setting(
        "", OPTIONAL_FILE, "a file with more of these tokens", check=partial(tokens_of_file, Level.API)
    )
    admin_token: str = setting(
        "",
        words("tokens, each token or name:token, separated by blanks", "backend:a-long-random-token"),
        "tokens for the same, and for loading, unloading and switching versions and running experiments",
        secret=True,
        check=partial(tokens_of_text, Level.ADMIN),
    )
    admin_token_file: Path | None = setting(
        "", OPTIONAL_FILE, "a file with more of these tokens", check=partial(tokens_of_file, Level.ADMIN)
    )
    insecure: bool = setting("0", SWITCH, "1: allow an address that other machines reach, without any token")
    tls_certificate: Path | None = setting(
        "", OPTIONAL_FILE, "a PEM file with the certificate and its chain; with it, the server accepts only HTTPS"
    )
    tls_key: Path | None = setting("", OPTIONAL_FILE, "a PEM file with the certificate's key")
    cors_origins: tuple[str, ...] = setting("", ORIGINS, "origins whose pages may call this service from a browser")
    allowed_hosts: tuple[str, ...] = setting(
        "",
        Kind(host_names, "host names without scheme and port, separated by blanks", "desk.example www.example"),
        "host names accepted beside localhost when it listens on loopback without tokens, for example behind a proxy",
    )
    trusted_proxies: TrustedProxies = setting(
        "",
        Kind(trusted_proxies, "IP addresses and networks, or unix, separated by blanks", "10.0.0.5 fd00:7::/64"),
        "proxies whose X-Forwarded-For names the client; unix: all clients of a Unix socket",
    )
    audit: Path = setting("data/audit.jsonl", path("a file"), "the file to which every management call is appended")
    timezone: ZoneInfo = setting("UTC", TIME_ZONE, "the time zone of the envelope's timestamp")
    environment: str = setting(
        "production", text("a name"), "the environment that /health reports", variable="ENVIRONMENT"
    )
    log_level: str = setting(
        "info",
        Kind(_log_level, f"one of {', '.join(LOG_LEVELS)}"),
        "the lowest level that is logged",
        variable="LOG_LEVEL",
    )
    log_format: Literal["text", "json"] = setting(
        "text", Kind(_log_format, "text or json"), "the format of log lines; json: one object a line, for programs"
    )
    tracing: bool = setting("0", SWITCH, "1: record requests, and send their traces by OTLP; needs the extra otel")
    tracing_ratio: float = setting(
        "0.01", SHARE, "the share of requests without a traceparent header that are recorded, while tracing is on"
    )
    keep_windows: bool = setting(
        "0", SWITCH, "1: keep the candles of the last window of each pair and timeframe, in memory, for the dashboard"
    )
    access_log: bool = setting("0", SWITCH, "1: one log line for each answered request")

    @property
    def unix_socket(self) -> Path | None:
        """The path of the Unix socket to listen on; None: it listens on a port."""
        return unix_path(self.host)

    @property
    def address(self) -> str:
        """What it listens on, as a message names it."""
        return self.host if self.unix_socket is not None else f"{self.host}:{self.port}"

    @property
    def models_not_chosen(self) -> bool:
        """Whether the bundles beside the packages are used, because none were named and none are in this folder."""
        return self.models is INSTALLED  # an equal path that was given is a different object

    @property
    def guarded(self) -> bool:
        """Whether any token setting was given."""
        given = (self.api_token, self.api_token_file, self.admin_token, self.admin_token_file)
        return any(each for each in given)

    @property
    def tokens(self) -> list[Token]:
        """The tokens, read again at each access, so that new workers get new ones. Raises OSError or ValueError."""
        found: list[Token] = []
        for level, given, file in (
            (Level.API, self.api_token, self.api_token_file),
            (Level.ADMIN, self.admin_token, self.admin_token_file),
        ):
            if given:
                found += tokens_of_text(level, given)
            if file is not None:
                found += tokens_of_file(level, str(file))
        return found

    @property
    def journal_folder(self) -> Path:
        """The folder of this store's journals. Journals of another store must never be drained into it."""
        return self.journals / hashlib.sha256(os.fsencode(identity(self.state_url))).hexdigest()[:16]


SETTINGS = settings_of(Settings)


def read(arguments: Sequence[str], environ: Mapping[str, str], program: str = "python -m server") -> Settings:
    """Read each setting from its flag, or its variable if that is not empty, or else use its default.

    `program`: the name of the command in the usage message.
    Raises SettingsError.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description="Candles in, signal out, over HTTP.",
        epilog=f"Example: {program} --port 8000 --models models/onnx",
        allow_abbrev=False,
    )
    for each in SETTINGS:
        help_text = f"{each.meaning} ({each.variable}; default {each.default})"
        parser.add_argument(each.flag, dest=each.name, metavar="VALUE", help=help_text)
    found, unknown = parser.parse_known_args(arguments)
    if unknown:  # argparse would quote all of them, also the value behind a misspelt flag, which can be a secret
        named = [flag for word in unknown if _A_FLAG.fullmatch(flag := word.partition("=")[0])]
        parser.error(f"unrecognized arguments: {' '.join(named) or 'a value without its flag'}")
    flags = vars(found)
    return Settings(**{each.name: each.read(flags[each.name], environ) for each in SETTINGS})


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """The variables with the prefix REVERSAL_ that are not settings, most likely typing errors."""
    known = {each.variable for each in SETTINGS}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
