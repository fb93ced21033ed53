"""A walk over a body of JSON, from value to value, with pauses: no value is built."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import NoReturn

import msgspec

from core.errors import InvalidInput
from server.http.bodies.brackets import STEP, Brackets
from server.http.bodies.malformed import WrongByte, fault_of, not_json, too_deep, truncated
from server.http.bodies.seen import kind_of
from server.http.bodies.wanted import with_article

# The bytes in which items that are alike are passed at once. It takes a tenth of a millisecond.
TOGETHER = 128 * 1024
# So many of them are passed between two pauses.
_PAUSE_ITEMS = 256
# No useful request has so long a name, or so many blanks in a row.
MAX_NAME = 64 * 1024
_MAX_BLANKS = 64 * 1024
# What is between two items is taken for a sign that they are alike only if it has at most so many bytes: it is sought
# without a pause, and could be megabytes of blanks.
_MAX_BETWEEN = 1024

_value_decoder = msgspec.json.Decoder(msgspec.Raw)
_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_text_decoder = msgspec.json.Decoder(str)

_BLANKS = re.compile(rb"[ \t\n\r]*")
_CHARACTERS = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)  # of a string
# The end of an object, and the beginning of the one behind it.
_BETWEEN = re.compile(rb'\}[ \t\n\r]*,[ \t\n\r]*\{[ \t\n\r]*"[^"\\]{0,20}"')
_COMMA = re.compile(rb"[ \t\n\r]*,?[ \t\n\r]*")
_WORD = re.compile(rb"[^ \t\n\r,\]}]+")  # a number or a literal, if it is JSON
_PASSED = "trailing characters"
_BEGINNINGS = b'{["-0123456789tfn'  # of values


class JsonWalk:
    """A place in a body, which moves forward. Every method raises MalformedJson or InvalidInput if it cannot.

    No message of the decoder is needed to find the end of a value: the end is guessed, and the decoder says whether the
    text up to it is one value. No value with brackets, and no string, has a beginning that is a value too. Only in a
    body that is not JSON does its message say which byte is wrong.
    """

    def __init__(self, body: bytes | bytearray) -> None:
        self._whole = body
        self._body = memoryview(body)
        self._at = 0
        self._end = 0  # of the value that was passed last
        self._brackets: Brackets | None = None  # of the values on this level
        # Whether brackets in strings are told apart from others. They are as soon as a value has them.
        self._strings = False
        self._guesses = True  # whether `alike` was never wrong

    def alike(self, count: int, most: int) -> Generator[None, None, list[memoryview]]:
        """Pass several items behind the last one at once, at most `count`, of at most so many bytes each. Yields too.

        They are guessed to go to the last place at which an item begins with the same key as the next one. Returns
        none, and does not move, if that is wrong.
        """
        behind = self._end - 1
        between = _BETWEEN.match(self._body, behind, behind + _MAX_BETWEEN) if self._guesses else None
        if between is None:
            return []
        self._pass_blanks()
        begin = self._at
        end = self._whole.rfind(between[0], begin, begin + TOGETHER) + 1
        if not end:
            return []
        items: list[memoryview] = []
        raws = _values_in(self._body[begin:end])
        for raw in raws if len(raws) <= count else ():  # there can be far more, which take long
            if items and (comma := _COMMA.match(self._body, begin)):
                begin = comma.end()
            size = memoryview(raw).nbytes
            items.append(self._body[begin : begin + size])
            begin += size
            if len(items) % _PAUSE_ITEMS == 0:
                yield
        if not items or max(map(len, items)) > most:
            self._guesses = False
            return []
        self._at = self._end = end
        self._brackets = None
        return items

    def value(self, most: int, path: str) -> Generator[None, None, memoryview]:
        """Pass a value of at most so many bytes, and the blanks before it. Yields during a long search."""
        self._pass_blanks()
        begin = self._at
        first = bytes(self._body[begin : begin + 1])
        has_brackets = first in (b"{", b"[")
        if has_brackets and not self._strings:
            end = yield from self._bracketed_end(begin, begin + most)
            if end is not None and end <= begin + most and _is_json(part := self._body[begin:end]):
                self._at = self._end = end
                return part
            self._strings, self._brackets = True, None
        if has_brackets:
            end = yield from self._bracketed_end(begin, begin + most)
        elif first == b'"':
            end = yield from self._string_end(begin, begin + most)
        else:
            end = yield from self._word_end(begin, begin + most)
        return self._passed(begin, end, most, path)

    def _bracketed_end(self, begin: int, last: int) -> Generator[None, None, int | None]:
        """The end of a value with brackets; null if it is not up to `last`."""
        if self._brackets is None:
            self._brackets = Brackets(self._body, begin, strings=self._strings)
        while (end := self._brackets.behind(begin)) is None and self._brackets.searched < min(last, len(self._body)):
            self._brackets.search()
            yield
        return end

    def _string_end(self, begin: int, last: int) -> Generator[None, None, int | None]:
        """The end of a string; null if it is not up to `last`."""
        at, end = begin, begin + 1
        while at < end <= last:
            at = end
            characters = _CHARACTERS.match(self._body, at, at + STEP)
            end = at if characters is None else characters.end()
            if bytes(self._body[end : end + 1]) == b'"':
                return end + 1
            yield
        return None

    def _word_end(self, begin: int, last: int) -> Generator[None, None, int | None]:
        """The end of a number or a literal, or a place behind `last`; null if there is neither."""
        end = begin
        while found := _WORD.match(self._body, end, min(end + STEP, last + 1)):
            end = found.end()
            if end < begin + STEP:
                break
            yield
        return end if end > begin else None

    def _passed(self, begin: int, end: int | None, most: int, path: str) -> memoryview:
        """Pass a value if it is JSON, and not too large. `end`: its end, if it has one."""
        is_too_large = end is None or end > begin + most
        part = self._body[begin : begin + most + 1 if is_too_large else end]
        is_cut = is_too_large and begin + len(part) < len(self._body)
        try:
            _value_decoder.decode(part)
        except RecursionError:
            raise too_deep() from None
        except msgspec.DecodeError:
            part, is_cut = self._value_before_fault(begin, most, path), False
        if is_cut:
            _refuse_large(path, most)
        self._at = self._end = begin + len(part)
        return part

    def _value_before_fault(self, begin: int, most: int, path: str) -> memoryview:
        """A value such as the 0 of `0"a"`, whose end was guessed too late. Any other one is refused.

        It is decoded with the bytes behind its guessed end, because they may say why it is refused.
        """
        left = self._body[begin : begin + most + 1]
        fault: WrongByte | None = None
        try:
            _value_decoder.decode(left)
        except msgspec.DecodeError as error:
            fault = fault_of(error)
        if fault is None:
            if begin + len(left) < len(self._body):
                _refuse_large(path, most)
            self._refuse_end()
        if fault.reason != _PASSED:
            self._refuse(fault.reason, begin + fault.byte)
        return left[: fault.byte]

    def name(self) -> Generator[None, None, str]:
        """Pass a field's name, and decode it. Yields as `value` does."""
        if not self.next_is(b'"'):
            self._refuse_next("object keys must be strings")
        begin = self._at
        text = self._passed(begin, (yield from self._string_end(begin, begin + MAX_NAME)), MAX_NAME, "")
        self._brackets = None
        try:
            return _text_decoder.decode(text)
        except msgspec.DecodeError as error:  # the decoder does not check the strings that it passes over
            fault = fault_of(error) or WrongByte("invalid surrogate pair", 0)
            self._refuse(fault.reason, begin + fault.byte)

    def take(self, expected: bytes) -> bytes:
        """Pass blanks and one of the bytes `expected`; return this one."""
        self._pass_blanks()
        found = bytes(self._body[self._at : self._at + 1])
        if not found or found not in expected:
            self._refuse_next("expected " + " or ".join(f"'{chr(each)}'" for each in expected))
        self._at += 1
        return found

    def enter(self, opening: bytes, path: str, message: str) -> None:
        """Pass blanks and a bracket, which must begin the value at `path`; `message` is the error's."""
        if not self.next_is(opening):
            if self._at == len(self._body) or self._body[self._at] not in _BEGINNINGS:
                self._refuse_next("invalid character")
            given = kind_of(bytes(self._body[self._at : self._at + 1]))
            given = "number" if given == "integer" else given
            if given == "string" and not path:
                raise InvalidInput.at("", "the body is a JSON string, not an object; send JSON.stringify(request) once")
            advice = "; send the value itself, without JSON.stringify" if given == "string" else ""
            raise InvalidInput.at(path, f"{message}, not {with_article(given)}{advice}")
        self._at += 1
        self._brackets = None

    def next_is(self, byte: bytes) -> bool:
        """Whether this byte follows, after blanks."""
        self._pass_blanks()
        return self._body[self._at : self._at + 1] == byte

    def end(self) -> None:
        """Pass blanks, after which the body must end."""
        self._pass_blanks()
        if self._at < len(self._body):
            self._refuse(_PASSED, self._at)

    def _pass_blanks(self) -> None:
        blanks = _BLANKS.match(self._body, self._at, self._at + _MAX_BLANKS + 1)
        if blanks is not None:
            if blanks.end() > self._at + _MAX_BLANKS:
                raise InvalidInput.at("", f"the body must have at most {_MAX_BLANKS:,} blanks in a row")
            self._at = blanks.end()

    def _refuse_next(self, reason: str) -> NoReturn:
        """Refuse the character at this place."""
        if self._at == len(self._body):
            self._refuse_end()
        self._refuse(reason, self._at)

    def _refuse_end(self) -> NoReturn:
        raise truncated(self._body)

    def _refuse(self, reason: str, byte: int) -> NoReturn:
        raise not_json(reason, byte, self._body)


def _values_in(part: memoryview) -> list[msgspec.Raw]:
    """The values of a list without its brackets; none if it is not JSON."""
    try:
        return _list_decoder.decode(b"".join((b"[", part, b"]")))
    except (msgspec.DecodeError, RecursionError):
        return []


def _is_json(part: memoryview) -> bool:
    try:
        _value_decoder.decode(part)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _refuse_large(path: str, most: int) -> NoReturn:
    raise InvalidInput.at(path, f"{'' if path else 'a key '}must have at most {most:,} bytes")
