"""A body that is not JSON is refused with the byte, and with what it is."""

from __future__ import annotations

import gzip
import json
import re
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.api import decoding
from server.http.bodies.body import check_text
from server.http.bodies.malformed import not_json, truncated
from server.http.errors import MalformedJson


def refused(body: bytes) -> str:
    try:
        check_text(body)
        decoding.prediction(body, 0.0)
    except MalformedJson as error:
        return error.message
    raise AssertionError("it is not refused")


@pytest.mark.parametrize(
    ("value", "offset", "word"),
    [
        ("NaN", 0, "NaN"),
        ("-NaN", 0, "-NaN"),
        ("Infinity", 0, "Infinity"),
        ("-Infinity", 0, "-Infinity"),
        ("undefined", 0, "undefined"),
        ("None", 0, "None"),
        ("True", 0, "True"),
        ("False", 0, "False"),
        ("nulL", 0, "nulL"),
        ("nan", 0, "nan"),
        ("-nan", 0, "-nan"),
        ("nul", 0, "nul"),
        ("tru", 0, "tru"),
        ("t", 0, "t"),
        ("n/a", 0, "n"),
        ("\x0b1", 0, "U+000B"),
        ('"\\ud83d\\n"', 1, "surrogate"),
        ('"\\ud83dA"', 1, "surrogate"),
        ("abc", 0, "abc"),
        ("'1'", 0, "single quotes"),
        ("`1`", 0, "backticks"),
        ("“1”", 0, "curly quotes"),
        ("[1,]", 3, "trailing comma"),
        ('{"b":1,}', 7, "trailing comma"),
        ("{b:1}", 1, "key b"),
        ("{1:1}", 1, "key 1"),
        ("{'b':1}", 1, "single quotes"),
        ('{"b":1,c:1}', 7, "key c"),
        ("{,}", 1, "key"),
        ("[,1]", 1, "missing before ,"),
        ("", 0, "missing before }"),
        ("// one", 0, "comments"),
        ("1 /* one */", 2, "comments"),
        ("01", 1, "0"),
        ("1.", 2, "digit"),
        ("1e", 2, "digit"),
        ("-", 1, "digit"),
        (".5", 0, "begin with ."),
        ("+1", 0, "begin with +"),
        ("0x10", 1, '"x10"'),
        ("10n", 2, '"n"'),
        ("1_000", 1, '"_000"'),
        ("[1 2]", 3, '"2"'),
        ('["b" "c"]', 5, "a string"),
        ('{"b" 1}', 5, '"1"'),
        ('"\\x"', 2, '"x"'),
        ('"\\u00g0"', 5, "hexadecimal"),
        ('"b\nc"', 2, r"write \n"),
        ('"b,\nc"', 3, r"write \n"),
        ('"b,n\nc"', 4, r"write \n"),
        ('"b\tc"', 2, r"write \t"),
        ('"b\0c"', 2, r"write \u0000"),
        ("@", 0, '"@"'),
    ],
)
def test_what_is_wrong_is_named_with_its_byte(value: str, offset: int, word: str) -> None:
    before, after = '{"pair": "EUR/USD", "ä": ', ', "x": 1}' if value else "}"
    message = refused(f"{before}{value}{after}".encode())
    assert word in message, message
    place = re.search(r"\(byte (\d+)\)", message)
    assert place is not None, message
    # msgspec passes over a string that is not kept, and stops one byte after a bad digit of an escape.
    assert int(place[1]) - len(before.encode()) - offset in ((0, 1) if "hexadecimal" in message else (0,)), message


@pytest.mark.parametrize("field", ["pair", "unknown"])
def test_an_escape_that_is_not_json_is_named_in_each_string(field: str) -> None:
    message = refused(b'{"%s": "C:\\quote"}' % field.encode())
    assert '"quote"' in message or '"q"' in message
    assert f"(byte {len(field) + 9})" in message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ["empty", "(byte 0)"]),
        (b" \r\n\t", ["empty", "(byte 4)"]),
        (b" " * 1_000, ["empty", "(byte 1000)"]),
        (b'{"pair": "EUR', ["ends too early", "(byte 13)", "Buffer.byteLength"]),
        (b'{"pair": "EUR/USD"', ["ends too early", "(byte 18)"]),
        (b"tru", ["ends too early", "(byte 3)"]),
        (b'{"pair": 1} x', ["more follows", "(byte 12)", '"x"']),
        (b'{"pair": -', ["ends too early", "(byte 10)"]),
        (b'{"pair": -1.', ["ends too early", "(byte 12)"]),
        (rb'{"pair": "\\ud83d"', ["ends too early"]),
        (b"[object Object]", ["[object Object]", "JSON.stringify(request)"]),
        (b"[object Promise]", ["[object Promise]", "await"]),
        (b"------form\r\nContent-Disposition: form-data", ["multipart", "(byte 0)"]),
        (b" [object Object]", ["[object Object]", "JSON.stringify(request)"]),
        (b"pair=EUR%2FUSD", ["a form", "JSON.stringify(request)"]),
        (b"<html></html>", ["HTML"]),
        (b"\xef\xbb\xbf{}", ["byte order mark"]),
        (gzip.compress(b"{}", mtime=0), ["gzip", "send the header Content-Encoding: gzip"]),
        (zlib.compress(b"{}"), ["deflate", "send the header Content-Encoding: deflate"]),
        (zlib.compress(b"{}" * 9, 1), ["deflate", "send the header Content-Encoding: deflate"]),
        ('{"pair": "é"}'.encode("latin-1"), ["UTF-8", "(byte 10)"]),
        ('{"pair": "é"}'.encode("utf-16"), ["UTF-16"]),
        (rb'{"pair": "\ud800"}', ["surrogate", "(byte 10)"]),
        (rb'{"pair": "\ud800\u0041"}', ["surrogate"]),
        (b"[" * 5_000, ["nested too deeply"]),
    ],
)
def test_a_body_that_is_something_else_is_called_so(body: bytes, words: list[str]) -> None:
    message = refused(body)
    assert all(word in message for word in words), message


@given(st.binary(max_size=60) | st.text("[]{}\"',:\\u\n0-.eNa/#<= ", max_size=30).map(str.encode), st.integers(0, 60))
@settings(max_examples=500, deadline=None)
def test_explaining_never_fails_and_stays_on_one_line(body: bytes, byte: int) -> None:
    reasons = [
        "invalid character",
        "expected ','",
        "invalid number",
        "trailing characters",
        "object keys must be strings",
    ]
    reasons += ["trailing comma in array", "invalid escaped character", "invalid escape character in string", "?"]
    for whole in (body, memoryview(bytearray(body))):
        for reason in reasons:
            message = not_json(reason, min(byte, len(body)), whole).message
            assert json.dumps(message)
            assert message.isprintable(), ascii(message)
        assert truncated(whole).message
