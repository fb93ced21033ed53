"""Settings: read once from flags and the environment, checked, frozen and passed down."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from core.store.opening import check_url, identity
from server import cpus

PREFIX = "REVERSAL_"
_AUTO = "auto"
_MOST_WORKERS = 64
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


class SettingsError(ValueError):
    """A setting cannot be used; the message names it, its value and what was expected."""


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
    timezone: ZoneInfo
    environment: str
    log_level: str

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
    check_url(_text(text))
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
    flags = vars(parser.parse_args(arguments))
    return Settings(**{setting.name: _value(setting, flags[setting.name], environ) for setting in SETTINGS})


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """The variables with our prefix that are no setting: most likely typing errors."""
    known = {setting.variable for setting in SETTINGS}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def _value(setting: Setting, flag: str | None, environ: Mapping[str, str]) -> Any:  # noqa: ANN401 - each has its type
    name = setting.variable if flag is None else setting.flag
    text = (environ.get(setting.variable) or setting.default) if flag is None else flag
    try:
        return setting.parse(text)
    # ZoneInfo raises KeyError for a name that it does not have, and OSError for a folder's.
    except (ValueError, KeyError, OSError):
        shown = "what is given" if setting.secret else repr(text)
        raise SettingsError(f"{name}: {shown} is not valid, expected {setting.expected}") from None
