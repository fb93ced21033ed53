"""Declarations of settings: the kinds of values, how each is parsed from a text, and its default."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

PREFIX = "REVERSAL_"

_UNIX = "unix:"
# Of the 108 bytes of sockaddr_un (unix(7)), one is the zero at the end.
_LONGEST_SOCKET_PATH = 107

T = TypeVar("T")

_DECLARED = "setting"
# An origin as browsers send it (RFC 6454, section 6.2): without a path, and without the scheme's default port.
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+", re.ASCII)


class SettingsError(ValueError):
    """A setting is invalid. The message has its name, its value, what is allowed, and an example."""


class Kind(NamedTuple, Generic[T]):
    """How a text becomes a value, and what an error message says is allowed. `parse` can raise ValueError.

    `example`: a valid text; empty: the default is the example.
    """

    parse: Callable[[str], T]
    expected: str
    example: str = ""


@dataclass(frozen=True)
class Setting:
    """One setting, as its field declares it.

    secret: the text can hold a password, so messages do not quote it.
    check: a check of a text that was given, also of an empty one. It raises ValueError with a message that says what is
    wrong and what to do, and that quotes no secret.
    """

    name: str
    variable: str
    default: str
    kind: Kind[Any]
    meaning: str
    secret: bool
    check: Callable[[str], object] | None

    @property
    def flag(self) -> str:
        """The flag of the command line."""
        return "--" + self.name.replace("_", "-")

    def read(self, flag: str | None, environ: Mapping[str, str]) -> Any:  # noqa: ANN401 - each has its type
        """The value of the flag, or of the variable if it is not empty, or the default. Raises SettingsError."""
        name = self.variable if flag is None else self.flag
        given = (environ.get(self.variable) or None) if flag is None else flag
        text = self.default if given is None else given
        try:
            value = self.kind.parse(text)
        # ZoneInfo raises KeyError for an unknown name, and OSError for a folder's name.
        except (ValueError, KeyError, OSError):
            raise self._invalid(name, text) from None
        if given is not None and self.check is not None:
            try:
                self.check(given)
            except ValueError as error:
                raise SettingsError(f"{name}: {error}") from None
            except OSError:
                raise self._invalid(name, text) from None
        return value

    def _invalid(self, name: str, text: str) -> SettingsError:
        shown = "its value" if self.secret else repr(text)
        example = shlex.quote(self.kind.example or self.default)
        assignment = f"{name} {example}" if name == self.flag else f"{name}={example}"
        return SettingsError(f"{name}: {shown} is not valid, expected {self.kind.expected}; example: {assignment}")


def setting(  # noqa: PLR0913 - few settings need the last three
    default: str,
    kind: Kind[T],
    meaning: str,
    *,
    variable: str | None = None,
    secret: bool = False,
    check: Callable[[str], object] | None = None,
) -> T:
    """Declare a field of a dataclass as a setting, with its default as text.

    `variable`: the environment variable, if it is not the field's name with the prefix REVERSAL_.
    """
    declared: T = field(metadata={_DECLARED: (variable, default, kind, meaning, secret, check)})
    return declared


def settings_of(declaring: type[Any]) -> tuple[Setting, ...]:
    """The settings that a dataclass declares, in the order of its fields."""
    found = []
    for each in fields(declaring):
        variable, *declared = each.metadata[_DECLARED]
        found.append(Setting(each.name, variable or PREFIX + each.name.upper(), *declared))
    return tuple(found)


def integer(least: int, most: int) -> Kind[int]:
    """An integer within bounds, both included."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
            raise ValueError
        return int(text)

    return Kind(parse, f"an integer from {least} to {most}")


def _share(given: str) -> float:
    share = float(_filled(given))
    if not 0.0 <= share <= 1.0:  # also refuses NaN
        raise ValueError
    return share


def words(expected: str, example: str) -> Kind[str]:
    """Any text, also an empty one."""
    return Kind(_encodable, expected, example)


def text(expected: str) -> Kind[str]:
    """A text that is not blank."""
    return Kind(_filled, expected)


def unix_path(host: str) -> Path | None:
    """The path of a Unix socket, if the address to listen on is one. Raises ValueError if it cannot be a path."""
    if not host.startswith(_UNIX):
        return None
    given = host.removeprefix(_UNIX)
    if not given or given.startswith("@") or "\0" in given:
        raise ValueError("write a path behind unix:, such as unix:/run/reversal.sock")
    if len(os.fsencode(given)) > _LONGEST_SOCKET_PATH:
        raise ValueError(f"the path of a Unix socket has at most {_LONGEST_SOCKET_PATH} bytes; choose a shorter one")
    return Path(given)


def path(expected: str) -> Kind[Path]:
    """A path. It does not have to exist."""
    return Kind(lambda given: Path(_filled(given)), expected)


def _encodable(given: str) -> str:
    given.encode()  # raises ValueError for a variable of bytes that are not text: answers repeat some settings
    return given


def _filled(given: str) -> str:
    if not _encodable(given).strip():
        raise ValueError
    return given


def _folder(given: str) -> Path:
    folder = Path(_filled(given))
    if not folder.is_dir():
        raise ValueError
    return folder


def _optional_file(given: str) -> Path | None:
    if not given:
        return None
    file = Path(_filled(given))
    if not file.is_file():
        raise ValueError
    file.open("rb").close()  # raises OSError if reading is not allowed
    return file


def _origins(given: str) -> tuple[str, ...]:
    origins = tuple(given.replace(",", " ").split())
    if not all(_ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError
    return origins


FOLDER = Kind(_folder, "a folder that exists", "models/onnx")
OPTIONAL_FILE = Kind(_optional_file, "a file that can be read", "/path/to/file")
SHARE = Kind(_share, "a number from 0 to 1")
SWITCH = Kind(lambda given: {"0": False, "1": True}[given], "0 or 1")
ORIGINS = Kind(
    _origins, "origins (scheme and host, no path) separated by blanks", "https://desk.example https://www.example"
)
TIME_ZONE = Kind(lambda given: ZoneInfo(_filled(given)), "an IANA time zone", "Europe/Berlin")
