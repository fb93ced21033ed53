"""What a declaration of a setting says: the kinds of values, each read from a text, and the default."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

PREFIX = "REVERSAL_"

T = TypeVar("T")

_DECLARED = "setting"
# As browsers send it (RFC 6454, section 6.2): no path, and no port that is the scheme's own.
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+", re.ASCII)


class SettingsError(ValueError):
    """A setting cannot be used; the message names it, its value and what was expected."""


class Kind(NamedTuple, Generic[T]):
    """How a text becomes a value, and what an error says was expected instead. `parse` may raise ValueError."""

    parse: Callable[[str], T]
    expected: str


@dataclass(frozen=True)
class Setting:
    """One setting, as its field declares it.

    secret: its text may hold a password, and is not repeated.
    check: of a text that was given, even an empty one. It raises ValueError with what is wrong and what to do, in words
    that quote no secret.
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
        """The command line's name for it."""
        return "--" + self.name.replace("_", "-")

    def read(self, flag: str | None, environ: Mapping[str, str]) -> Any:  # noqa: ANN401 - each has its type
        """The value of its flag, else of its variable if that is not empty, else the default. Raises SettingsError."""
        name = self.variable if flag is None else self.flag
        given = (environ.get(self.variable) or None) if flag is None else flag
        text = self.default if given is None else given
        try:
            value = self.kind.parse(text)
        # ZoneInfo raises KeyError for a name that it does not have, and OSError for a folder's.
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
        shown = "what is given" if self.secret else repr(text)
        return SettingsError(f"{name}: {shown} is not valid, expected {self.kind.expected}")


def setting(  # noqa: PLR0913 - the last three are for few
    default: str,
    kind: Kind[T],
    meaning: str,
    *,
    variable: str | None = None,
    secret: bool = False,
    check: Callable[[str], object] | None = None,
) -> T:
    """Declare a field of a dataclass as a setting, with its default as text.

    `variable`: the environment variable, where that is not the field's name behind our prefix.
    """
    declared: T = field(metadata={_DECLARED: (variable, default, kind, meaning, secret, check)})
    return declared


def settings_of(declaring: type[Any]) -> tuple[Setting, ...]:
    """The settings that a dataclass declares, in order."""
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


def words(expected: str) -> Kind[str]:
    """Any text, an empty one too."""
    return Kind(_encodable, expected)


def text(expected: str) -> Kind[str]:
    """A text that is not empty."""
    return Kind(_filled, expected)


def path(expected: str) -> Kind[Path]:
    """A path, of what need not be there yet."""
    return Kind(lambda given: Path(_filled(given)), expected)


def _encodable(given: str) -> str:
    given.encode()  # a variable may hold bytes that are no text, and answers repeat some of these
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
    file.open("rb").close()  # raises OSError where it may not be read
    return file


def _origins(given: str) -> tuple[str, ...]:
    origins = tuple(given.replace(",", " ").split())
    if not all(_ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError
    return origins


FOLDER = Kind(_folder, "a folder that exists")
OPTIONAL_FILE = Kind(_optional_file, "a file that can be read")
SWITCH = Kind(lambda given: {"0": False, "1": True}[given], "0 or 1")
ORIGINS = Kind(_origins, "origins such as https://desk.example, with blanks in between")
TIME_ZONE = Kind(lambda given: ZoneInfo(_filled(given)), "an IANA time zone such as Europe/Berlin")
