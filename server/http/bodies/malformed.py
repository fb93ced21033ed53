"""Errors for a body that is not JSON: what is wrong at which byte, and what to send instead."""

from __future__ import annotations

import re
from typing import NamedTuple

from core.errors import quoted
from server.http.bodies import sizes
from server.http.errors import MalformedJson

# As much around the wrong byte as an error looks at.
_AROUND = 40
_BLANKS = b" \t\n\r"

# How msgspec names what is wrong, and where. Only the texts of errors depend on it.
_FAULT = re.compile(r"JSON is malformed: (?P<reason>.*) \(byte (?P<position>\d+)\)\Z", re.DOTALL)

_GZIP, _ZLIB_METHOD = b"\x1f\x8b", 0x78
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_OBJECT = re.compile(rb"\[object (\w{1,30})\]?")
_FORM = re.compile(rb"[A-Za-z_][\w.\[\]%-]*=")

_WORD = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)
_KEY = re.compile(r"[\w$.-]+")
_WORD_BEFORE = re.compile(r"[A-Za-z_$][\w$]*\Z", re.ASCII)
# Half of a surrogate pair behind an even number of backslashes.
_LONE = re.compile(rb"(?<!\\)(?:\\\\)*(\\u[dD][89abAB][0-9a-fA-F]{2})(?!\\u[dD][c-fC-F])")
# The same right before the byte at which msgspec fails if it passes over a string without decoding it.
_LONE_BEFORE = re.compile(r"(?<!\\)(?:\\\\)*(\\u[dD][89abAB][0-9a-fA-F]{2})(.?)\Z", re.DOTALL)
# Characters after which a value begins. msgspec reads four characters of a value that begins with one of these letters.
_BEFORE_VALUE = (":", ",", "[")
_LITERALS, _LITERAL_LENGTH = {"t": "true", "f": "false", "n": "null"}, 5
# Words that are values in JavaScript or Python, and what to write for them.
_WORDS = {
    "NaN": "numbers must be finite",
    "Infinity": "numbers must be finite",
    "-NaN": "numbers must be finite",
    "-Infinity": "numbers must be finite",
    "nan": "numbers must be finite",
    "inf": "numbers must be finite",
    "-inf": "numbers must be finite",
    "-nan": "numbers must be finite",
    "nil": "send null",
    "undefined": "leave the key out, or send null",
    "None": "send null",
    "True": "send true",
    "False": "send false",
}
_QUOTES = {"'": "single quotes", "`": "backticks", "\u201c": "curly quotes", "\u201d": "curly quotes"}
_CONTROL = {"\n": "a line break", "\r": "a line break", "\t": "a tab"}
_FIRST_PRINTABLE = " "


class WrongByte(NamedTuple):
    """What is wrong with a text at a byte, counted from 0."""

    reason: str
    byte: int


def fault_of(error: Exception) -> WrongByte | None:
    """The fault of a text that is not JSON; null if its end is missing."""
    found = _FAULT.match(str(error))
    if found is None:
        return None
    # msgspec counts these from 1, all others from 0.
    return WrongByte(found["reason"], int(found["position"]) - (found["reason"] == "trailing characters"))


def no_text(byte: int, head: bytes) -> MalformedJson:
    """The error for a body that is not UTF-8 from a byte on. head: its first bytes."""
    packed = _packing(head)
    if packed is not None:
        return MalformedJson(f"the body looks like {packed}; send the header Content-Encoding: {packed}")
    if head.startswith(_UTF_16):
        return MalformedJson(f"the body looks like UTF-16 (byte {byte}); send UTF-8")
    return MalformedJson(f"the body is not UTF-8 (byte {byte}); send it as UTF-8")


def _packing(head: bytes) -> str | None:
    """The compression that these bytes begin. zlib's first two bytes are a multiple of 31 (RFC 1950)."""
    if head.startswith(_GZIP):
        return "gzip"
    is_zlib = len(head) > 1 and head[0] == _ZLIB_METHOD and (head[0] << 8 | head[1]) % 31 == 0
    return "deflate" if is_zlib else None


def too_deep() -> MalformedJson:
    """The error for arrays and objects within each other that the decoder does not follow."""
    return MalformedJson("the body is nested too deeply; send fewer arrays and objects within each other")


def truncated(body: bytes | memoryview) -> MalformedJson:
    """The error for a body whose end is missing."""
    size = len(body)
    if not bytes(body[:_AROUND]).strip(_BLANKS) and not bytes(body).strip(_BLANKS):
        return MalformedJson(f"the body is empty (byte {size}); send a JSON object")
    is_whole = bytes(body[-_AROUND:]).rstrip(_BLANKS).endswith((b"}", b"]", b'"'))
    is_searched = is_whole and size <= sizes.READ_AGAIN
    if is_searched and (lone := _LONE.search(body)) is not None:  # the decoder waits for the other half
        return MalformedJson(_lone_surrogate(lone.start(1)))
    advice = "send all of it, with Buffer.byteLength(text) as Content-Length"
    return MalformedJson(f"the body ends too early (byte {size}); {advice}")


def not_json(reason: str, byte: int, body: bytes | memoryview) -> MalformedJson:
    """The error for a body that is not JSON at a byte, for a reason that msgspec gives."""
    after = bytes(body[byte : byte + _AROUND]).decode(errors="replace")
    before = bytes(body[max(0, byte - _AROUND) : byte]).decode(errors="replace")
    head = bytes(body[: byte + _AROUND]) if byte < _AROUND else b""
    message = _whole(head, byte) or _of_word(reason, before, after, byte)
    if message is None and byte >= len(body):
        return truncated(body)
    return MalformedJson(
        message or _of_reason(reason, before, after, byte) or _of_character(reason, before, after, byte)
    )


def _whole(head: bytes, byte: int) -> str | None:
    """The message for a body that is something else from its first character on."""
    begin = len(head) - len(head.lstrip(_BLANKS))
    head = head[begin:]
    message = None
    if (text := _OBJECT.match(head)) is not None and byte == begin + 1:
        wait = "await it, and " if text[1] == b"Promise" else ""
        message = f'the body is "[object {text[1].decode()}]" (byte {byte}); {wait}send JSON.stringify(request)'
    elif head.startswith(b"--") and byte <= begin + 1:
        message = f"the body looks like a multipart form (byte {begin}); send JSON.stringify(request)"
    elif byte != begin:
        message = None
    elif head.startswith(_BOM):
        message = f"the body begins with a byte order mark (byte {byte}); send UTF-8 without it"
    elif (packed := _packing(head)) is not None:
        message = f"the body looks like {packed} (byte {byte}); send the header Content-Encoding: {packed}"
    elif head.startswith(b"<"):
        message = f"the body looks like HTML or XML (byte {byte}); send JSON"
    elif _FORM.match(head):
        message = f"the body looks like a form (byte {byte}); send JSON.stringify(request)"
    return message


def _of_word(reason: str, before: str, after: str, byte: int) -> str | None:
    """The message for a word such as `nan` or `nul`, which msgspec begins to read as a literal."""
    if reason != "invalid character" or after[:1] in _CONTROL:  # in a string, a line break or a tab is the fault
        return None
    text = before + after
    for begin in range(max(0, len(before) - _LITERAL_LENGTH), len(before) + 1):
        if text[begin : begin + 1] not in _LITERALS or text[begin - 1 : begin].isalnum():
            continue
        sign = 1 if text[:begin].endswith("-") else 0
        before_value = text[: begin - sign].rstrip()
        word = _WORD.match(text, begin)
        if word is None or word[0] == _LITERALS[text[begin]] or not before_value.endswith(_BEFORE_VALUE):
            continue
        name, at = f"{'-' * sign}{word[0]}", byte - (len(before) - begin) - sign
        if word.end() == len(text) and len(after) < _AROUND and _LITERALS[text[begin]].startswith(word[0]):
            return None  # the body ends within the literal
        likely = _LITERALS[text[begin]] if _LITERALS[text[begin]].startswith(name) else ""
        advice = f"send {likely}, or a string in double quotes" if likely else "strings need double quotes"
        return f"{name} is not JSON (byte {at}); {_WORDS.get(name, advice)}"
    return None


def _of_reason(reason: str, before: str, after: str, byte: int) -> str | None:
    """The message, if the reason alone tells what is wrong."""
    message = None
    if "surrogate" in reason:
        message = _lone_surrogate(byte)
    elif "unicode escape" in reason:
        message = f"\\u needs four hexadecimal digits (byte {byte})"
    elif "escape" in reason and (lone := _LONE_BEFORE.search(before + after[:1])) is not None:
        message = _lone_surrogate(byte + len(after[:1]) - len(lone[1]) - len(lone[2]))
    elif "escape" in reason:
        if reason.endswith("in string"):  # msgspec counts these from 1
            after, byte = before[-1:] + after, byte - 1
        message = f"a backslash before {_found(after)} is not JSON (byte {byte}); write \\\\ for a backslash"
    elif reason == "invalid number":
        message = _number(before, after, byte)
    elif reason.startswith("trailing comma"):
        bracket = "]" if reason.endswith("array") else "}"
        message = f"a trailing comma is not JSON (byte {byte}); remove the comma before {bracket}"
    elif reason == "trailing characters":
        message = f"more follows the end of the JSON (byte {byte}): {_found(after)}; send one JSON value"
    return message


def _of_character(reason: str, before: str, after: str, byte: int) -> str:
    """The message for a character that cannot stand at a byte."""
    if after.startswith(("//", "/*", "#")):
        return f"comments are not JSON (byte {byte}); remove them"
    if after[:1] in _QUOTES:
        return f"{_QUOTES[after[0]]} are not JSON (byte {byte}); use double quotes"
    if reason in ("object keys must be strings", "expected '\"'"):
        word = _KEY.match(after)
        if word is None:
            return f"a key in double quotes is missing (byte {byte}), found {_found(after)}"
        return f"the key {word[0]} must be in double quotes (byte {byte})"
    if reason == "invalid character":
        return _value(before, after, byte)
    expected = reason.replace("'", "")
    return f"the body is not JSON (byte {byte}): {expected}, not {_found(after)}"


def _value(before: str, after: str, byte: int) -> str:
    """The message for a character that cannot begin a value, or cannot be in a string."""
    first = after[:1]
    if first < _FIRST_PRINTABLE:
        return _control(before, first, byte)
    begun = _WORD_BEFORE.search(before)
    start = begun[0] if begun else ""
    word = _WORD.match(start + after)
    if word is not None:
        text, byte = word[0], byte - len(start)
        if before[: len(before) - len(start)].endswith("-"):
            text, byte = f"-{text}", byte - 1
        return f"{text} is not JSON (byte {byte}); {_WORDS.get(text, 'strings need double quotes')}"
    if before.endswith("-"):
        return _number(before, after, byte)
    if first in ",]}":
        return f"a value is missing before {first} (byte {byte})"
    if first in "+.":
        return f"a number must not begin with {first} (byte {byte})"
    return f"the body is not JSON (byte {byte}): a value cannot begin with {quoted(first)}"


def _control(before: str, character: str, byte: int) -> str:
    """The message for a control character. JSON.stringify escapes it in a string; elsewhere, most are blanks."""
    if character not in _CONTROL and (not before.strip() or before.rstrip()[-1] in "{[:,"):
        advice = "send UTF-8, not UTF-16" if character == chr(0) else "remove it"
        return f"the character U+{ord(character):04X} is not JSON (byte {byte}); {advice}"
    what = _CONTROL.get(character, f"the character U+{ord(character):04X}")
    return f"{what} within a string is not JSON (byte {byte}); write {quoted(character)[1:-1]}"


def _number(before: str, after: str, byte: int) -> str:
    if before.endswith("0") and after[:1].isdigit():
        return f"a number must not begin with 0 before other digits (byte {byte})"
    return f"a number lacks a digit (byte {byte}); write it as JSON.stringify does"


def _lone_surrogate(byte: int) -> str:
    return f"half of a surrogate pair is not text (byte {byte}); send the whole character"


def _found(after: str) -> str:
    if after.startswith('"'):
        return "a string"
    word = _WORD.match(after)
    return quoted(word[0] if word else after[:1])
