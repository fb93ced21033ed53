"""Log lines of the form `event key=value`, which people read and programs split."""

from __future__ import annotations

import json
import re

# Visible ASCII but for the quote, "=" and the backslash.
_PLAIN = re.compile(r"[!#-<>-\[\]-~]+")


class LogEvent:
    """What happened, and its circumstances: the message of one log line.

    A logger takes it as it takes a text, `log.warning(LogEvent("version_skipped", version=version, error=error))`,
    and turns it into one only if the line is written. Values with blanks, quotes or "=" are quoted as JSON strings,
    so that no value can look like a second line or a second field. docs/logs.md lists all events.
    """

    __slots__ = ("fields", "name")

    def __init__(self, name: str, /, **fields: object) -> None:
        self.name = name
        self.fields = fields

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{key}={_value(value)}" for key, value in self.fields.items())])


def _value(value: object) -> str:
    """None is an empty value, a list its items with commas, and a number with a fraction has six digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
