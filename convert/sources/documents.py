"""Read JSON and TOML files as Windows' editors write them too, with messages in the words of the formats."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from convert.errors import Refused
from convert.untrusted.limits import in_mib
from core.files import regular_file

_SHOWN = 60  # characters of a key in a message
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# The server's JSON has integers of 64 bits and at most so many levels of lists and objects.
_LARGEST, _SMALLEST, _DEEPEST = 2**64 - 1, -(2**63), 200


class JsonObject(dict[str, Any]):
    """An object of a JSON file. twice: its first key that is there twice."""

    twice: str | None = None


def check_size(path: Path, most: int) -> None:
    """Raise Refused if the file is larger than `most` bytes."""
    if path.stat().st_size > most:
        raise Refused.at(path.name, f"larger than {in_mib(most)}; shorten it")


def contents(path: Path, most: int) -> bytes:
    """The bytes of a file of at most `most` bytes. Raises Refused for a larger one, and OSError for a pipe or device.

    A pipe would be waited for for ever, and a device such as /dev/zero has no end.
    """
    check_size(path, most)
    return regular_file.read(path, most)


def text(data: bytes) -> str:
    """The text of a file in UTF-8, with or without a byte order mark. Raises Refused for another encoding."""
    if data.startswith(_UTF_16):
        raise Refused("written as UTF-16; save it as UTF-8")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise Refused(f"not UTF-8 at byte {error.start}; save it as UTF-8") from None


def decoded(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value of a JSON file. Raises Refused, with the byte or the key."""
    plain = text(data).encode()
    try:
        msgspec.json.decode(plain)  # the strict reader: no NaN, no control characters
        return json.loads(plain, object_pairs_hook=_object)
    except RecursionError:
        raise Refused("lists or objects nested too deeply") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise Refused(_said(plain, str(error))) from None


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = JsonObject(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        found.twice = next(key for key in keys if keys.count(key) > 1)
    return found


def _said(data: bytes, message: str) -> str:
    """A reader's message, with the key of the value and the name of the mistake where the reader has none."""
    try:
        value = json.loads(data)
        place = _infinite(value, "") if "out of range" in message else None
    except (RecursionError, ValueError):
        return message
    if "truncated" in message and _SURROGATE.search(data):
        return "a \\ud… escape without its other half, which is no character; write the character itself"
    if place is not None:
        return f"{place[:_SHOWN]}: a number that is too large; at most 1.8e308 can be read"
    return message


def _infinite(value: object, place: str) -> str | None:
    """The place of the first number that a float cannot hold."""
    if isinstance(value, float):
        return place if math.isinf(value) else None
    parts: Iterable[tuple[str, object]] = ()
    if isinstance(value, dict):
        parts = ((f"{place}.{key}" if place else key, each) for key, each in value.items())
    elif isinstance(value, list):
        parts = ((f"{place}[{i}]", each) for i, each in enumerate(value))
    return next((found for at, each in parts if (found := _infinite(each, at[:_SHOWN])) is not None), None)


def check_sendable(value: object, place: str = "", depth: int = 0) -> None:
    """Raise Refused for a value that the server cannot send as JSON. It names the key."""
    if depth > _DEEPEST:
        raise Refused(f"{place[:_SHOWN]}: nested too deeply for an answer of the server")
    if type(value) is int and not _SMALLEST <= value <= _LARGEST:
        raise Refused(f"{place[:_SHOWN]}: an integer of more than 64 bits, which the server cannot send; write a text")
    if isinstance(value, dict):
        for key, each in value.items():
            check_sendable(each, f"{place}.{key[:_SHOWN]}" if place else key[:_SHOWN], depth + 1)
    elif isinstance(value, list):
        for i, each in enumerate(value):
            check_sendable(each, f"{place}[{i}]", depth + 1)
