"""JSON and TOML as Windows' editors write them, and mistakes in words that name the place."""

from __future__ import annotations

import pytest

from convert.errors import Refused
from convert.sources import documents


def test_byte_order_mark_is_skipped() -> None:
    assert documents.decoded('\ufeff{"a": 1}'.encode()) == {"a": 1}
    assert documents.text("\ufeffa = 1".encode()) == "a = 1"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ('{"a": 1}'.encode("utf-16"), "UTF-16"),
        ('{"a": 1}'.encode("utf-16-be", "surrogatepass").join([b"\xfe\xff", b""]), "UTF-16"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        (b'{"a": "\\ud800"}', "without its other half"),
        (b'{"a": {"b": 1e999}}', "b: "),
        (b'{"first": 1, "second": 1e999}', "second: "),
        (b'{"a": NaN}', "byte"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": 1', "truncated"),
    ],
)
def test_mistake_is_named(data: bytes, words: str) -> None:
    with pytest.raises(Refused) as refused:
        documents.decoded(data)
    assert words in str(refused.value)
    assert "codec" not in str(refused.value)


def test_key_that_is_there_twice_is_known() -> None:
    found = documents.decoded(b'{"a": {"b": 1, "c": 2, "b": 3}}')
    assert (found.twice, found["a"].twice) == (None, "b")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [1, {"b": 2**64}]}, "a[1].b: "),
        ({"a": -(2**63) - 1}, "a: "),
        ({"a": [[[[]]] * 3]}, None),
        ({"a": 2**64 - 1, "b": "x", "c": None}, None),
    ],
)
def test_value_that_the_server_cannot_send_is_named(value: object, words: str | None) -> None:
    if words is None:
        documents.check_sendable(value)
        return
    with pytest.raises(Refused) as refused:
        documents.check_sendable(value)
    assert str(refused.value).startswith(words)


def test_deep_value_is_refused() -> None:
    value: object = 1
    for _ in range(300):
        value = [value]
    with pytest.raises(Refused, match="nested too deeply"):
        documents.check_sendable({"a": value})
