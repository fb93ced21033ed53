from __future__ import annotations

import random

import msgspec
import pytest

from core.errors import InvalidInput
from server.http.bodies import sizes
from server.http.bodies.json_decoding import decode

decoder = msgspec.json.Decoder(msgspec.Raw)


class Never:
    """A decoder that must not be called."""

    def decode(self, _: object) -> object:
        raise AssertionError("a body that is too large was decoded")


def refused(body: bytes, path: str = "") -> str:
    for part in (body, msgspec.Raw(body)):
        with pytest.raises(InvalidInput) as raised:
            decode(Never(), part, path)  # type: ignore[arg-type]
        assert [detail.path for detail in raised.value.details] == [path]
    return raised.value.message


def listed(one: bytes, count: int, size: int = 0) -> bytes:
    """A list with `count` items, padded with blanks to a size."""
    return (b"[" + (one + b",") * (count - 1) + one + b"]").rjust(size)


@pytest.mark.parametrize("one", [b"1", b"[]", b'""', b'{"a":1}'])
def test_too_many_values_are_refused_before_they_are_decoded(one: bytes) -> None:
    assert f"at most {sizes.VALUES:,} values" in refused(listed(one, sizes.VALUES + 2), "features")
    decode(decoder, listed(one, sizes.VALUES + 1))


@pytest.mark.parametrize("one", [b"1e308", b"5E-324", b"1.5e+100", b"-1e0300", b"0.1e-100"])
def test_too_many_extreme_numbers_are_refused_before_they_are_decoded(one: bytes) -> None:
    body = listed(one, sizes.EXTREME_NUMBERS + 1, sizes.UNCOUNTED + 1)
    assert f"at most {sizes.EXTREME_NUMBERS:,} numbers" in refused(body)
    decode(decoder, listed(one, sizes.EXTREME_NUMBERS, sizes.UNCOUNTED + 1))


@pytest.mark.parametrize(
    "one", [b"1" + b"0" * 308, b"0." + b"0" * 310 + b"1", b"9" * 95 + b"." + b"9" * 95 + b"e-98", b"7" * 210 + b"e98"]
)
def test_too_many_long_numbers_are_refused_before_they_are_decoded(one: bytes) -> None:
    assert "numbers of hundreds of digits" in refused(listed(one, 4 * sizes.EXTREME_NUMBERS))
    decode(decoder, listed(one, 250))


@pytest.mark.parametrize(
    "one",
    [
        b"1e-16",
        b"2.5e+21",
        b'"e1.5"',
        b'"close"',
        b'"e"',
        b"0.5",
        b"1e7",
        b"-0.12345678901234567",
        b"12345678901234567890",
    ],
)
def test_usual_numbers_and_texts_are_not_counted_as_extreme(one: bytes) -> None:
    decode(decoder, listed(one, 20_000))


def test_a_small_body_is_not_counted() -> None:
    decode(decoder, listed(b"1e308", sizes.UNCOUNTED // 6 - 1))


def test_extreme_numbers_are_counted_like_in_a_plain_search() -> None:
    draw = random.Random(1)  # noqa: S311 - the bodies are the same in each run
    parts = [b"1e308", b"1E-299", b"2e16", b'"e"', b"true", b"e,", b"1e+5", b"E123"]
    for _ in range(50):
        body = b",".join(draw.choices(parts, k=draw.randrange(2500, 4500))).rjust(sizes.UNCOUNTED + 1)
        many = sum(body.count(one) for one in (b"e308", b"E-299", b"E123")) > sizes.EXTREME_NUMBERS
        try:
            decode(decoder, body)
        except InvalidInput:
            assert many
        except Exception:  # noqa: BLE001 - only decoding finds that it is not JSON
            assert not many
