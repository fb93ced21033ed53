"""A second look at a refused body: the value at a place, and how an error shows it. Nothing here raises."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, TypeAlias

import msgspec

from core.errors import quoted

Step: TypeAlias = str | int

_MOST_SHOWN = 40  # characters of a value
_MOST_KEYS = 8
_MOST_COMPARED = 64  # names that are compared with an unknown key, and characters of each
_SIMILAR = 0.75
_UNREADABLE = (msgspec.DecodeError, RecursionError, ValueError, OverflowError)

_KINDS = {b"{": "object", b"[": "array", b'"': "string", b"t": "boolean", b"f": "boolean", b"n": "null"}
_STEP = re.compile(r"\.?(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_INTEGER = re.compile(rb"-?\d+")

_object_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])


def steps(path: str) -> list[Step] | None:
    """The keys and indices of a path such as `data[17].high`; null if it has other parts."""
    found: list[Step] = []
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            return None
        found.append(int(step["index"]) if step["key"] is None else step["key"])
        at = step.end()
    return found


def value_at(body: bytes | msgspec.Raw, where: Iterable[Step]) -> bytes | None:
    """The JSON text of the value at a place; null if there is none.

    Each step passes over the rest of the body without building its values. Of a key that is given twice it finds the
    last value, so that a caller has to check that the value fits its error.
    """
    found: Any = body
    try:
        for step in where:
            found = _array_decoder.decode(found)[step] if isinstance(step, int) else _object_decoder.decode(found)[step]
    except (*_UNREADABLE, KeyError, IndexError):
        return None
    return bytes(found).strip()


def keys_of(value: bytes | None) -> list[str] | None:
    """The keys of an object; null if the value is not one."""
    try:
        return None if value is None else list(_object_decoder.decode(value))
    except _UNREADABLE:
        return None


def count_of(value: bytes | None) -> int | None:
    """The items of an array, the keys of an object or the characters of a string; null of everything else."""
    if value is None or kind_of(value) not in ("array", "object", "string"):
        return None
    try:
        if kind_of(value) == "string":
            return len(msgspec.json.decode(value))
        return len(_array_decoder.decode(value) if kind_of(value) == "array" else _object_decoder.decode(value))
    except _UNREADABLE:
        return None


def kind_of(value: bytes) -> str:
    """The name of a value's type in JavaScript; `integer` for a number without a fraction."""
    kind = _KINDS.get(value[:1])
    if kind is not None:
        return kind
    return "integer" if _INTEGER.fullmatch(value) else "number"


def text_of(value: bytes | None) -> str | None:
    """The characters of a string; null of everything else."""
    if value is None or kind_of(value) != "string":
        return None
    try:
        text: str = msgspec.json.decode(value)
    except _UNREADABLE:
        return None
    return text


def shown(value: bytes) -> str | None:
    """A string or a number as an error shows it, shortened; null for everything else."""
    if kind_of(value) in ("integer", "number"):
        text = value[: _MOST_SHOWN + 1].decode(errors="replace")
        return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
    found = text_of(value)
    return None if found is None else quoted(found)


def is_too_large(value: bytes | None) -> bool:
    """Whether the value is a number beyond those that a float or an integer of 64 bits can hold."""
    if value is None or kind_of(value) not in ("integer", "number"):
        return False
    try:
        return len(value) > _MOST_SHOWN or abs(float(value)) >= 2.0**63
    except ValueError:
        return False


def shown_key(key: str) -> str:
    """A key as it is, or as a JSON string if it is long or has unusual characters."""
    return key if _PLAIN_KEY.fullmatch(key) else quoted(key)


def listed_keys(keys: list[str]) -> str:
    """Some keys of an object."""
    if not keys:
        return "no keys"
    names = [shown_key(key) for key in keys[:_MOST_KEYS]]
    return ", ".join(names) + (f" and {len(keys) - _MOST_KEYS:,} more" if len(keys) > _MOST_KEYS else "")


def similar(name: str, names: Iterable[str]) -> str | None:
    """The first of some names that differs from this one in case, `_` and `-` only, else the most similar one."""
    compared = {_folded(each): each for each in list(names)[:_MOST_COMPARED][::-1] if len(each) <= _MOST_COMPARED}
    found = get_close_matches(_folded(name), compared, 1, _SIMILAR)
    return compared[found[0]] if found else None


def _folded(name: str) -> str:
    return name.strip().lower().replace("_", "").replace("-", "")


def missing(key: str, keys: list[str] | None, known: Iterable[str] = (), expected: str = "") -> str:
    """The message for a required key that an object does not have, with the keys that it has.

    known: keys that have a meaning, and are therefore not a misspelt one. expected: the key, with its explanation.
    """
    if keys is None or key in keys:
        return f"missing; expected {expected or key}"
    has_meaning = frozenset(known)
    # Only case and separators are compared: in a list, thousands of items can lack a key.
    folded = _folded(key)
    near = next((each for each in keys if _folded(each[:_MOST_COMPARED]) == folded and each not in has_meaning), None)
    return f"missing; found {listed_keys(keys if near is None else [near])}, expected {expected or key}"
