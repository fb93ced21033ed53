"""The items of a large body's list, found one by one, so that the event loop runs other tasks in between."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import NamedTuple, NoReturn

import msgspec

from core.errors import InvalidInput, ServiceError
from server.http.bodies.malformed import not_json, too_deep, truncated
from server.http.bodies.seen import kind_of, missing
from server.http.bodies.wanted import with_article
from server.http.fairness import let_others_run

# The longest time without a pause for other tasks.
SPLIT_SECONDS = 300e-6
# A smaller body that is refused here goes to the plain decoder as well: its errors are better, and it takes only a
# millisecond.
PLAIN = 256 * 1024
# No useful request has so many fields beside the list, so long a name, or so many blanks in a row.
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
    """A body that is an object with a list in `field`.

    most: the most items. item_bytes: the most bytes of an item, or of the value of another field. plainly: decodes the
    whole body at once, with the same result.
    """

    field: str
    most: int
    item_bytes: int
    plainly: Callable[[bytes], list[msgspec.Raw]]


async def items(body: bytes | bytearray, listed: Listed) -> Sequence[msgspec.Raw]:
    """The items of the list in a body, which must be UTF-8. Raises MalformedJson or InvalidInput."""
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
    """Yield each item once it is checked to be JSON, and null for each other field.

    Only after the last one is the whole body known to be well-formed, and to mean the same to the plain decoder. Raises
    MalformedJson if it is not; InvalidInput also if the list is given twice, or if a part is larger than any request
    needs.
    """
    walk = _Walk(body)
    walk.enter(b"{", "", f"the body must be an object with {listed.field}")
    found = False
    names: list[str] = []
    for _ in range(_MAX_FIELDS):
        field = walk.name()
        names.append(field)
        walk.take(b":")
        if field == listed.field:
            if found:
                raise InvalidInput.at(field, "is given twice; send it once")
            found = True
            yield from _elements(walk, listed)
        else:
            walk.value(listed.item_bytes, field)
            yield None
        if walk.take(b",}") == b"}":
            break
    else:
        raise InvalidInput.at("", f"the body must have at most {_MAX_FIELDS:,} fields")
    walk.end()
    if not found:
        raise InvalidInput.at(listed.field, missing(listed.field, names))


def _elements(walk: _Walk, listed: Listed) -> Iterator[msgspec.Raw]:
    walk.enter(b"[", listed.field, "must be an array")
    if walk.next_is(b"]"):
        walk.take(b"]")
        return
    for i in range(listed.most):
        yield msgspec.Raw(walk.value(listed.item_bytes, f"{listed.field}[{i}]"))
        if walk.take(b",]") == b"]":
            return
    raise InvalidInput.at(listed.field, f"must have at most {listed.most:,} items, has more; send them in parts")


class _Walk:
    """A place in a body, which moves forward. Every method raises MalformedJson or InvalidInput if it cannot."""

    def __init__(self, body: bytes | bytearray) -> None:
        self._body = memoryview(body)
        self._at = 0

    def value(self, most: int, path: str) -> memoryview:
        """Pass a value of at most so many bytes, and the blanks around it.

        The decoder gets the rest of the body, but no more bytes than the value may have. It passes over one value, and
        its error says where it stopped.
        """
        self._pass_blanks()
        begin = self._at
        left = self._body[begin : begin + most + 1]
        is_cut = begin + len(left) < len(self._body)
        try:
            _value_decoder.decode(left)
        except RecursionError:
            raise too_deep() from None
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
            self._refuse_next("object keys must be strings")
        begin = self._at
        text = self.value(_MAX_NAME, "")
        try:
            return _text_decoder.decode(text)
        except msgspec.DecodeError as error:  # the decoder does not check the strings that it passes over
            fault = _FAULT.fullmatch(str(error))
            reason = "invalid surrogate pair" if fault is None else fault["reason"]
            self._refuse(reason, begin + (int(fault["position"]) if fault is not None else 0))

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


def _refuse_large(path: str, most: int) -> NoReturn:
    raise InvalidInput.at(path, f"{'' if path else 'a key '}must have at most {most:,} bytes")
