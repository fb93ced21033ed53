from __future__ import annotations

import gzip
import random
import zlib

import pytest

from server.http.bodies.unpacking import Unpacking
from server.http.errors import MalformedJson

TEXT = b"[" + b",".join(b"%d" % i for i in range(100_000)) + b"]"
RAW = zlib.compress(TEXT)[2:-4]


def unpacked(packing: str, packed: bytes, piece: int = 1 << 18) -> list[bytes]:
    unpacking = Unpacking(packing)
    steps = [step for at in range(0, len(packed), piece) for step in unpacking.steps(packed[at : at + piece])]
    unpacking.end()
    return steps


@pytest.mark.parametrize("piece", [1, 1000, 1 << 18])
@pytest.mark.parametrize(
    ("packing", "packed"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:300]) + gzip.compress(b"") + gzip.compress(TEXT[300:], 0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", RAW),
        ("deflate", zlib.compress(TEXT[:300]) + zlib.compress(TEXT[300:])),
    ],
)
def test_data_are_decompressed_in_small_steps(packing: str, packed: bytes, piece: int) -> None:
    steps = unpacked(packing, packed, piece)
    assert b"".join(steps) == TEXT
    assert max(map(len, steps)) <= 1 << 16


def test_data_of_any_compressibility_are_decompressed() -> None:
    for whole in (random.Random(1).randbytes(1 << 20), bytes(10 << 20), b"ab" * (5 << 20) + b"c", b""):  # noqa: S311
        for packing, packed in (("gzip", gzip.compress(whole)), ("deflate", zlib.compress(whole))):
            assert b"".join(unpacked(packing, packed)) == whole


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_an_empty_body_stays_empty(packing: str) -> None:
    assert unpacked(packing, b"") == []


def test_a_bomb_is_decompressed_only_step_by_step() -> None:
    steps = Unpacking("gzip").steps(gzip.compress(bytes(1 << 30), 1)[: 1 << 16])
    assert [len(next(steps)) for _ in range(3)] == [1 << 16] * 3


@pytest.mark.parametrize(
    ("packing", "packed", "reason"),
    [
        ("gzip", gzip.compress(TEXT)[:-1], "ends too early"),
        ("gzip", gzip.compress(TEXT)[:5], "ends too early"),
        ("deflate", zlib.compress(TEXT)[:-1], "ends too early"),
        ("deflate", RAW[:-10], "ends too early"),
        ("gzip", gzip.compress(TEXT) + b"xyz", "is not"),
        ("gzip", gzip.compress(TEXT) + b"\0", "ends too early|is not"),
        ("gzip", b"not packed", "is not"),
        ("gzip", zlib.compress(TEXT), "is not"),
        ("gzip", gzip.compress(TEXT)[:-5] + b"wrong", "is not"),
        ("deflate", zlib.compress(TEXT)[:-4] + b"sums", "is not"),
        ("deflate", b"not packed", "is not"),
        ("gzip", gzip.compress(b"") * 2000, "has more than 1,000 "),
    ],
)
def test_damaged_data_are_malformed(packing: str, packed: bytes, reason: str) -> None:
    with pytest.raises(MalformedJson, match=f"Content-Encoding: {packing}, but the body ({reason})"):
        unpacked(packing, packed)
