"""The items of a large body's list, found one after the other, with turns of the event loop in between."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import NamedTuple, NoReturn

import msgspec

from core.errors import InvalidInput, ServiceError
from server.http.errors import MalformedJson
from server.http.fairness import let_others_run

# The longest that a body is split without a pause.
SPLIT_SECONDS = 300e-6
# What is smaller and cannot be followed here goes to the plain decoder: its words are better, and it takes a
# millisecond.
PLAIN = 256 * 1024
# No client of ours writes as many fields beside the list, as long a name, or as many blanks in a row.
_MAX_FIELDS = 1_000
_MAX_NAME = 64 * 1024
_MAX_BLANKS = 64 * 1024

_value_decoder = msgspec.json.Decoder(msgspec.Raw)
_text_decoder = msgspec.json.Decoder(str)

_BLANKS = re.compile(rb"[ \t\n\r]*")
_FAULT = re.compile(r"JSON is malformed: (?P<reason>.*) \(byte (?P<position>\d+)\)")
_PASSED = "trailing characters"
_BEGINNINGS = b'{["-0123456789tfn'  # of values


class Listed(NamedTuple):
    """A body that is an object with a list.

    most: of its items. item_bytes: the most that one of them, or the value of another field, may have. plainly: decodes
    the whole body at once, for the same.
    """

    field: str
    most: int
    item_bytes: int
    plainly: Callable[[bytes], list[msgspec.Raw]]


async def items(body: bytes | bytearray, listed: Listed) -> Sequence[msgspec.Raw]:
    """The list's items, in a body that is UTF-8. Raises MalformedJson or InvalidInput."""
    found = []
    try:
        since = perf_counter()
        for item in split(body, listed):
            if item is not None:
                found.append(item)
            if perf_counter() - since > SPLIT_SECONDS:
                await let_others_run()
                since = perf_counter()
    except ServiceError:
        if len(body) > PLAIN:
            raise
        return listed.plainly(bytes(body))
    await let_others_run()
    return found


def split(body: bytes | bytearray, listed: Listed) -> Iterator[msgspec.Raw | None]:
    """Each item, checked to be JSON when its turn comes, and null for what else has been passed.

    Only after the last one is known that the whole body is well-formed, and says the same to the plain decoder. Raises
    MalformedJson where it is not; InvalidInput also where a list comes twice, or where something is so large, so long
    or so much that no request needs it.
    """
    walk = _Walk(body)
    walk.enter(b"{", "", "an object")
    found = False
    for _ in range(_MAX_FIELDS):
        field = walk.name()
        walk.take(b":")
        if field == listed.field:
            if found:
                raise InvalidInput.at(field, "given twice")
            found = True
            yield from _elements(walk, listed)
        else:
            walk.value(listed.item_bytes, field)
            yield None
        if walk.take(b",}") == b"}":
            break
    else:
        raise InvalidInput.at("", f"expected at most {_MAX_FIELDS:,} fields")
    walk.end()
    if not found:
        raise InvalidInput.at(listed.field, "missing")


def _elements(walk: _Walk, listed: Listed) -> Iterator[msgspec.Raw]:
    walk.enter(b"[", listed.field, "a list")
    if walk.next_is(b"]"):
        walk.take(b"]")
        return
    for i in range(listed.most):
        yield msgspec.Raw(walk.value(listed.item_bytes, f"{listed.field}[{i}]"))
        if walk.take(b",]") == b"]":
            return
    raise InvalidInput.at(listed.field, f"expected at most {listed.most:,} items")


class _Walk:
    """A place in a body, which moves on. Every method raises MalformedJson or InvalidInput where it cannot."""

    def __init__(self, body: bytes | bytearray) -> None:
        self._body = memoryview(body)
        self._at = 0

    def value(self, most: int, path: str) -> memoryview:
        """Pass a value of at most so many bytes, and the blanks around it.

        The decoder is given what is left, but no more than the value may have. It walks over one value, and then says
        where it stopped.
        """
        self._pass_blanks()
        begin = self._at
        left = self._body[begin : begin + most + 1]
        is_cut = begin + len(left) < len(self._body)
        try:
            _value_decoder.decode(left)
        except RecursionError:
            raise MalformedJson("the body is nested too deeply") from None
        except msgspec.DecodeError as error:
            fault = _FAULT.fullmatch(str(error))
            if fault is None and is_cut:
                _refuse_large(path, most)
            if fault is None:
                self._refuse_end()
            if fault["reason"] != _PASSED:
                self._refuse(fault["reason"], begin + int(fault["position"]))
            self._at += int(fault["position"]) - 1  # it counts these from 1, all others from 0
        else:
            if is_cut and bytes(left[-1:]) not in b" \t\n\r":  # a number, perhaps, that goes on
                _refuse_large(path, most)
            self._at += len(left)
        return self._body[begin : self._at]

    def name(self) -> str:
        """Pass a field's name, and decode it."""
        if not self.next_is(b'"'):
            self._refuse_next("expected a name in quotation marks")
        begin = self._at
        text = self.value(_MAX_NAME, "")
        try:
            return _text_decoder.decode(text)
        except msgspec.DecodeError as error:  # the decoder does not look into texts that it passes
            fault = _FAULT.fullmatch(str(error))
            self._refuse("invalid text", begin + (int(fault["position"]) if fault is not None else 0))

    def take(self, expected: bytes) -> bytes:
        """Pass blanks and one of the bytes `expected`; returns which one."""
        self._pass_blanks()
        found = bytes(self._body[self._at : self._at + 1])
        if not found or found not in expected:
            self._refuse_next("expected " + " or ".join(f"'{chr(each)}'" for each in expected))
        self._at += 1
        return found

    def enter(self, opening: bytes, path: str, what: str) -> None:
        """Pass blanks and a bracket, which has to begin the value at `path`."""
        if not self.next_is(opening):
            if self._at < len(self._body) and self._body[self._at] in _BEGINNINGS:
                raise InvalidInput.at(path, f"expected {what}")
            self._refuse_next(f"expected {what}")
        self._at += 1

    def next_is(self, byte: bytes) -> bool:
        """Whether that comes next but for blanks."""
        self._pass_blanks()
        return self._body[self._at : self._at + 1] == byte

    def end(self) -> None:
        """Pass blanks, after which nothing may be left."""
        self._pass_blanks()
        if self._at < len(self._body):
            self._refuse(_PASSED, self._at)

    def _pass_blanks(self) -> None:
        blanks = _BLANKS.match(self._body, self._at, self._at + _MAX_BLANKS + 1)
        if blanks is not None:
            if blanks.end() > self._at + _MAX_BLANKS:
                raise InvalidInput.at("", f"expected at most {_MAX_BLANKS:,} blanks in a row")
            self._at = blanks.end()

    def _refuse_next(self, reason: str) -> NoReturn:
        """Refuse what comes here."""
        if self._at == len(self._body):
            self._refuse_end()
        self._refuse(reason, self._at)

    def _refuse_end(self) -> NoReturn:
        self._refuse("it ends too early", len(self._body))

    def _refuse(self, reason: str, byte: int) -> NoReturn:
        raise MalformedJson(f"the body is not JSON: {reason} (byte {byte})")


def _refuse_large(path: str, most: int) -> NoReturn:
    raise InvalidInput.at(path, f"expected at most {most:,} bytes")
