from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest

from core.errors import ServiceError
from server import decoding
from server.handlers.body import check_text
from server.json_items import Unclear, split
from server.schemas import MAX_BATCH

BODIES = 20_000


def blanks(draw: random.Random) -> str:
    return draw.choice(("", "", "", " ", "\n", "\t \r\n"))


def text(draw: random.Random) -> str:
    parts = (
        "a",
        "items",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        '\\"',
        "\\\\",
        "\\n",
        "\\u00e9",
        "\\ud83d\\ude00",
        "é",
        "用户",
        "😀",
    )
    return '"' + "".join(draw.choices(parts, k=draw.randrange(6))) + '"'


def value(draw: random.Random, depth: int = 0) -> str:
    """Some JSON, blanks around whatever may have any."""

    def number() -> str:
        return draw.choice(("0", "-1", "1.5e-7", "12345678901234567890", "1e400", "null", "true", "false"))

    def several(one: Callable[[], str]) -> str:
        parts = (blanks(draw) + one() + blanks(draw) for _ in range(draw.randrange(4)))
        return ",".join(parts) or blanks(draw)

    def entry() -> str:
        return f"{text(draw)}{blanks(draw)}:{blanks(draw)}{value(draw, depth + 1)}"

    kind = draw.randrange(4 if depth < 4 else 2)
    if kind == 0:
        return number()
    if kind == 1:
        return text(draw)
    if kind == 2:
        return f"[{several(lambda: value(draw, depth + 1))}]"
    return f"{{{several(entry)}}}"


def body(draw: random.Random) -> bytes:
    """A batch's, most of the time a good one."""
    items = f"[{','.join(blanks(draw) + value(draw) + blanks(draw) for _ in range(draw.randrange(5)))}]"
    name = draw.choice(('"items"',) * 8 + (r'"\u0069tems"', '"item"'))
    fields = [f"{name}{blanks(draw)}:{blanks(draw)}{items}"]
    for _ in range(draw.choice((0, 0, 1, 2))):
        fields.insert(draw.randrange(len(fields) + 1), f"{text(draw)}:{value(draw)}")
    if draw.random() < 0.02:
        fields.append(fields[0])
    return (
        f"{blanks(draw)}{{{','.join(blanks(draw) + field + blanks(draw) for field in fields)}}}{blanks(draw)}".encode()
    )


def damaged(draw: random.Random, whole: bytes) -> bytes:
    at = draw.randrange(len(whole))
    some = bytes(draw.choice((draw.randrange(256), *b'[]{},:"\\ 0')) for _ in range(draw.randrange(1, 3)))
    return draw.choice(
        (whole[:at], whole[:at] + whole[at + 1 :], whole[:at] + some + whole[at:], whole[:at] + some + whole[at + 1 :])
    )


def plainly(whole: bytes) -> list[bytes] | ServiceError:
    """What decoding all of it at once says."""
    try:
        check_text(whole)
        return [bytes(item) for item in decoding.batch(whole)]
    except ServiceError as error:
        return error


def in_pieces(whole: bytes) -> list[bytes] | None:
    try:
        return [bytes(item).strip(b" \t\n\r") for item in split(bytearray(whole))]
    except Unclear:
        return None


def test_it_finds_the_same_items_as_the_decoder_or_leaves_the_body_to_it() -> None:
    draw = random.Random(4)  # noqa: S311 - for bodies that are the same in each run
    good = bad = left = 0
    for i in range(BODIES):
        whole = body(draw)
        if i % 2:
            whole = damaged(draw, whole)
        found, expected = in_pieces(whole), plainly(whole)
        if found is not None:
            assert found == expected, whole
            good += 1
        elif isinstance(expected, ServiceError):
            bad += 1
        else:
            left += 1
    assert min(good, bad) > BODIES // 4
    assert left < BODIES // 50  # good bodies that it cannot follow: a field `items` that comes twice


@pytest.mark.parametrize(
    ("whole", "items"),
    [
        (b'{"items":[]}', []),
        (b' { "items" : [ ] } \n', []),
        (b'{"items":[1,"]",{"a":[]}]}', [b"1", b'"]"', b'{"a":[]}']),
        (b'{"a":{"items":[1]},"items":[2],"b":"\\"items\\":[3]"}', [b"2"]),
        (b'{"\\u0069tems":[1]}', [b"1"]),
        ('{"items":["用户"],"é":"é"}'.encode(), ['"用户"'.encode()]),
        (b'{"items":[' + b",".join([b"{}"] * MAX_BATCH) + b"]}", [b"{}"] * MAX_BATCH),
    ],
)
def test_it_can_follow_good_bodies(whole: bytes, items: list[bytes]) -> None:
    assert in_pieces(whole) == items


@pytest.mark.parametrize(
    "whole",
    [
        b"", b"[]", b"{}", b"1", b'{"items":1}', b'{"items":{}}', b'{"items":[1]', b'{"items":[1]}x',
        b'{"items":[1,]}', b'{"items":[,1]}', b'{"items":[1 2]}', b'{"items":[1]],"a":1}', b'{"items":[NaN]}',
        b'{"items":[1],"items":[1]}', b'{"items":[1],}', b'{"items":[1],"a":"\xff"}', b'{"items":["\xff"]}',
        b'{"items":["\\x"]}', b'{1:1,"items":[]}', b'{"\\x":1,"items":[]}',
        b'{"items":[' + b",".join([b"{}"] * (MAX_BATCH + 1)) + b"]}", b'{"items":[' + b"[" * 100_000 + b"]}",
    ],
)  # fmt: skip
def test_what_it_cannot_follow_it_leaves_to_the_decoder(whole: bytes) -> None:
    assert in_pieces(whole) is None


def test_a_body_of_a_great_many_fields_is_left_to_the_decoder() -> None:
    fields = {f"field{i}": i for i in range(1000)}
    whole = json.dumps(fields | {"items": [1]}).encode()
    assert in_pieces(whole) is None
    assert plainly(whole) == [b"1"]


def test_items_come_one_by_one() -> None:
    items = split(bytearray(b'{"items":[1,2,x]}'))
    assert bytes(next(items)) == b"1"
    assert bytes(next(items)) == b"2"
    with pytest.raises(Unclear):
        next(items)
