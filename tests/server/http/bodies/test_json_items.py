from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from core.errors import InvalidInput, ServiceError
from server.api import decoding
from server.api.schemas.predictions import MAX_BATCH
from server.http.bodies import brackets, json_items, json_walk, malformed
from server.http.bodies.body import check_text
from server.http.bodies.json_items import Listed, items, split
from server.http.errors import MalformedJson
from server.http.fairness import let_others_run

BODIES = 10_000
LONGEST = 1000
BATCH = Listed("items", MAX_BATCH, 1 << 20, decoding.batch)
SMALL = BATCH._replace(item_bytes=LONGEST)


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
    """Some JSON, with blanks wherever they are allowed."""

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
    """The body of a batch, usually a good one."""
    if draw.randrange(2):  # objects that begin alike, and lists of such objects in them
        key, deep = draw.choice(('"a"', '"items"')), draw.choice((0, 3))
        each = [f"{{{blanks(draw)}{key}:{value(draw, deep)}}}" for _ in range(draw.randrange(6))]
        parts = [f'{{{key}:[{",".join(each)}],"b":{value(draw, deep)}}}' if draw.randrange(2) else one for one in each]
    else:
        parts = [value(draw) for _ in range(draw.randrange(5))]
    items = f"[{','.join(blanks(draw) + part + blanks(draw) for part in parts)}]"
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
    """The result of decoding the whole body at once."""
    try:
        check_text(whole)
        return [bytes(item) for item in decoding.batch(whole)]
    except ServiceError as error:
        return error


def in_pieces(whole: bytes, listed: Listed = BATCH) -> list[bytes] | ServiceError:
    try:
        check_text(whole)
        return [bytes(item).strip(b" \t\n\r") for item in split(bytearray(whole), listed) if item is not None]
    except ServiceError as error:
        return error


@pytest.mark.parametrize("step", [brackets.STEP, 5])
def test_it_finds_the_items_that_the_decoder_finds(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brackets, "STEP", step)
    monkeypatch.setattr(json_walk, "STEP", step)
    several = _Watched(json_walk._list_decoder)  # noqa: SLF001
    monkeypatch.setattr(json_walk, "_list_decoder", several)
    draw = random.Random(step)  # noqa: S311 - the bodies are the same in each run
    good = bad = left = 0
    for i in range(BODIES):
        whole = body(draw)
        if i % 2:
            whole = damaged(draw, whole)
        found, expected = in_pieces(whole), plainly(whole)
        if not isinstance(found, ServiceError):
            assert found == expected, whole
            good += 1
        elif isinstance(expected, ServiceError):
            bad += 1
        else:
            assert found.details, whole
            left += 1
    assert min(good, bad) > BODIES // 4
    assert len(several.given) > BODIES // 20
    assert left < BODIES // 50  # good bodies that it refuses: a field `items` that is given twice


def test_it_does_not_depend_on_the_words_of_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(5)  # noqa: S311 - the bodies are the same in each run
    bodies = [body(draw) if i % 2 else damaged(draw, body(draw)) for i in range(BODIES // 4)]
    known = [in_pieces(whole, SMALL) for whole in bodies]
    monkeypatch.setattr(malformed, "_FAULT", re.compile(r"(?!)"))
    for whole, expected in zip(bodies, known, strict=True):
        found = in_pieces(whole, SMALL)
        if isinstance(expected, ServiceError):
            assert isinstance(found, ServiceError), whole  # perhaps that it is too large
        else:
            assert found == expected, whole


@pytest.mark.parametrize(
    ("whole", "expected"),
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
def test_items_of_good_bodies_are_found(whole: bytes, expected: list[bytes]) -> None:
    assert in_pieces(whole) == expected


@pytest.mark.parametrize(
    ("whole", "byte"),
    [
        (b"", 0), (b'{"items":[1]', 12), (b'{"items":[1]}x', 13), (b'{"items":[1,]}', 12),
        (b'{"items":[,1]}', 10), (b'{"items":[1 2]}', 12), (b'{"items":[1]],"a":1}', 12), (b'{"items":[NaN]}', 10),
        (b'{"items":[1],}', 13), (b'{"items":[1],"a":"\xff"}', 18), (b'{"items":["\xff"]}', 11),
        (b'{"items":["\\x"]}', 12), (b'{1:1,"items":[]}', 1), (b'{"items":[1', 11), (b'{"items":["a', 12),
        (b'{"\\ud83dx":1,"items":[]}', 2), (b'{"items":[1],"b":2 3}', 19), (b'{"items" 1}', 9), (b" x", 1),
        (b'{"items":x}', 9),
    ],
)  # fmt: skip
def test_malformed_json_is_refused_with_its_byte(whole: bytes, byte: int) -> None:
    error = in_pieces(whole)
    assert isinstance(error, MalformedJson), error
    assert f"(byte {byte})" in error.message


@pytest.mark.parametrize(
    "whole",
    [
        b'{"items":[1-]}', b'{"items":[tue]}', b'{"items":[1]}', b'{"items":[nan,1]}', b'{"items":[1"a"]}',
        b'{"items":[1],"a":nul}', b'{"items":[1],"a":0[1]}', b'{"items":["\\u00"61"]}', b'{"\\u0"061":1,"items":[]}',
        b'{"items":[{"a":1]]}', b'{"items":[{"a":nan}]}', b'{"items":["\\ud8"00"]}', b'{"items":[[1"]"]]}',
    ],
)  # fmt: skip
def test_malformed_json_is_refused_in_the_words_of_the_plain_decoder(whole: bytes) -> None:
    """Also if the value's end was guessed wrongly: large bodies have only these words."""
    assert repr(in_pieces(whole)) == repr(plainly(whole))


@pytest.mark.parametrize(
    ("whole", "path"),
    [
        (b"[]", ""),
        (b"1", ""),
        (b'{"a":1}', "items"),
        (b'{"items":1}', "items"),
        (b'{"items":{}}', "items"),
        (b'{"items":[1],"items":[1]}', "items"),
        (b'{"items":[' + b",".join([b"{}"] * (MAX_BATCH + 1)) + b"]}", "items"),
        (b'{"items":[' + b"1," * MAX_BATCH + b"what follows is not looked at", "items"),
        (b'{"items":[1,"' + b"a" * LONGEST + b'"]}', "items[1]"),
        (b'{"items":[1,2,' + b"1" * (2 * LONGEST) + b"]}", "items[2]"),
        (b'{"items":[[' + b"[]," * LONGEST + b"[]]]}", "items[0]"),
        (b'{"a":"' + b"a" * LONGEST + b'","items":[]}', "a"),
        (b'{"' + b"a" * 100_000 + b'":1,"items":[]}', ""),
        (b'{"items":' + b" " * 100_000 + b"[]}", ""),
        (b'{"items":[1' + b"\n" * 100_000 + b"]}", ""),
        (b'{"items":[]}' + b" " * 100_000, ""),
        (b"{" + b'"a":1,' * 1000 + b'"items":[]}', ""),
    ],
)
def test_a_wrong_or_too_large_part_is_refused_with_its_path(whole: bytes, path: str) -> None:
    error = in_pieces(whole, SMALL)
    assert isinstance(error, InvalidInput), error
    assert [detail.path for detail in error.details] == [path]


def test_an_item_of_the_largest_size_is_found() -> None:
    longest = b'"' + b"a" * (LONGEST - 2) + b'"'
    for item in (longest, b"1" * LONGEST):
        for blanks in (b"", b" " * 50, b"\n" * 3000):
            assert in_pieces(b'{"items":[' + item + blanks + b"]}", SMALL) == [item]
            assert in_pieces(b'{"items":[' + blanks + item + b"]}", SMALL) == [item]
        assert isinstance(in_pieces(b'{"items":[' + item[:1] + item + b"]}", SMALL), ServiceError)


def test_deep_nesting_is_refused() -> None:
    error = in_pieces(b'{"items":[' + b"[" * 100_000 + b"]}")
    assert isinstance(error, MalformedJson)
    assert "nested too deeply" in error.message


def test_items_are_found_one_by_one() -> None:
    found = split(bytearray(b'{"items":[1,2,x]}'), BATCH)
    assert [bytes(item) for item in (next(found), next(found)) if item is not None] == [b"1", b"2"]
    with pytest.raises(MalformedJson):
        next(found)


class _Watched:
    """A decoder that records the size of its input."""

    def __init__(self, decoder: Any) -> None:  # noqa: ANN401 - of any type
        self.given: list[int] = []
        self._decoder = decoder

    def decode(self, part: bytes | memoryview) -> Any:  # noqa: ANN401
        self.given.append(memoryview(part).nbytes)
        return self._decoder.decode(part)


class _Matching:
    """A pattern that records how many bytes it may match."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self.given: list[int] = []
        self._pattern = pattern

    def match(self, text: memoryview, begin: int, end: int = sys.maxsize) -> re.Match[bytes] | None:
        self.given.append(min(end, len(text)) - begin)
        return self._pattern.match(text, begin, end)


@pytest.mark.parametrize("item", [b'"' + b"a" * 900 + b'"', b'{"a":"' + b"a" * 900 + b'"}'])
async def test_the_decoder_never_gets_more_than_the_largest_item(item: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    one, several = _Watched(json_walk._value_decoder), _Watched(json_walk._list_decoder)  # noqa: SLF001
    monkeypatch.setattr(json_walk, "_value_decoder", one)
    monkeypatch.setattr(json_walk, "_list_decoder", several)
    whole = b'{"items":[' + b",".join([item] * 1000) + b"]}"
    assert len(await items(bytearray(whole), SMALL)) == 1000
    assert max(one.given) <= LONGEST + 1
    assert max(several.given, default=0) <= json_walk.TOGETHER + 2
    assert len(one.given) + 20 < 1000 or not several.given


async def test_items_over_the_limit_are_not_guessed_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    several = _Watched(json_walk._list_decoder)  # noqa: SLF001
    monkeypatch.setattr(json_walk, "_list_decoder", several)
    with pytest.raises(InvalidInput, match="at most"):
        await items(b'{"items":[' + b",".join([b'{"a":1}'] * 50_000) + b"]}", SMALL)
    assert len(several.given) == 1


async def test_items_over_the_limit_are_not_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """After two that are alike, 128 KiB can hold 65,000 numbers."""
    commas = _Matching(json_walk._COMMA)  # noqa: SLF001
    monkeypatch.setattr(json_walk, "_COMMA", commas)
    alike = b'{"a":1},{"a":1},'
    with pytest.raises(InvalidInput, match="at most"):
        await items(b'{"items":[' + alike + b"0," * 60_000 + alike + b"0" + b" " * json_items.PLAIN + b"]}", BATCH)
    assert len(commas.given) < MAX_BATCH


def test_thousands_of_small_items_are_passed_with_pauses() -> None:
    """10,000 outcomes can have 70 kB."""
    found = [*split(bytearray(b'{"items":[' + b",".join([b'{"a":1}'] * 9_000) + b"]}"), BATCH._replace(most=9_000))]
    assert found.count(None) > 9_000 // 300
    assert len(found) - found.count(None) == 9_000


def test_no_search_goes_on_for_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop waits for it."""
    searches = {name: _Matching(getattr(json_walk, name)) for name in ("_BETWEEN", "_BLANKS", "_CHARACTERS", "_WORD")}
    for name, search in searches.items():
        monkeypatch.setattr(json_walk, name, search)
    size = 1_000_000
    for part in (b" " * size, b'{"a":1},{' + b" " * size + b"}", b"1" * size, b"x" * size, b'"' + b"a" * size + b'"'):
        in_pieces(b'{"items":[{"a":1},' + part + b',{"a":1}]}')
    longest = {name: max(search.given, default=0) for name, search in searches.items()}
    assert all(0 < each <= 2 * brackets.STEP for each in longest.values()), longest


async def test_the_loop_turns_between_items(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = []

    async def counted() -> None:
        pauses.append(1)
        await let_others_run()

    monkeypatch.setattr(json_items, "let_others_run", counted)
    monkeypatch.setattr(json_items, "SPLIT_SECONDS", 0.0)
    assert len(await items(b'{"a":1,"items":[1,2,3]}', BATCH)) == 3
    assert len(pauses) >= 4


async def test_a_small_refused_body_goes_to_the_plain_decoder() -> None:
    assert [bytes(item) for item in await items(b'{"items":[1,2],"items":[3]}', BATCH)] == [b"3"]
    fields = {f"field{i}": i for i in range(2000)}
    assert [bytes(item) for item in await items(json.dumps(fields | {"items": [1]}).encode(), BATCH)] == [b"1"]
    with pytest.raises(InvalidInput, match=r"^items: .*twice"):
        await items(b'{"items":[1,2],"items":[3],"a":"' + b"a" * json_items.PLAIN + b'"}', BATCH)
