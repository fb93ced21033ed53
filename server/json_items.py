"""A large batch's items, found one after the other, so that there can be a pause between any two."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from server.schemas import MAX_BATCH

# A body with more of them is not what a client of ours sends, and each costs more here than in the plain decoder.
_MAX_FIELDS = 32

_value_decoder = msgspec.json.Decoder(msgspec.Raw)
_text_decoder = msgspec.json.Decoder(str)

_BLANKS = re.compile(rb"[ \t\n\r]*")
_TRAILING = re.compile(r"JSON is malformed: trailing characters \(byte (\d+)\)")


class Unclear(Exception):
    """The body is not one that can be split here: it may be good or bad."""


def split(body: bytes | bytearray) -> Iterator[msgspec.Raw]:
    """The elements of `items` in a batch's body, each checked to be JSON and UTF-8 when its turn comes.

    Only after the last one is known that the whole body is well-formed, and says the same to the plain decoder. Raises
    Unclear where it is not, and where telling takes that decoder.
    """
    walk = _Walk(body)
    found = False
    walk.take(b"{")
    for _ in range(_MAX_FIELDS):
        field = walk.text()
        walk.take(b":")
        if field == "items":
            if found:
                raise Unclear
            found = True
            yield from _elements(walk)
        else:
            walk.value()
        if walk.take(b",}") == b"}":
            break
    if not found or not walk.ended():
        raise Unclear


def _elements(walk: _Walk) -> Iterator[msgspec.Raw]:
    walk.take(b"[")
    if walk.next_is(b"]"):
        walk.take(b"]")
        return
    for _ in range(MAX_BATCH):
        yield msgspec.Raw(walk.value())
        if walk.take(b",]") == b"]":
            return
    raise Unclear


class _Walk:
    """A place in a body, which moves on. Every method raises Unclear where something else is there."""

    def __init__(self, body: bytes | bytearray) -> None:
        self._body = memoryview(body)
        self._at = 0

    def value(self) -> memoryview:
        """Pass a value and the blanks around it.

        A decoder that is given all that is left walks over one value, and then says where it stopped.
        """
        try:
            _value_decoder.decode(self._body[self._at :])
        except msgspec.DecodeError as error:
            stopped = _TRAILING.fullmatch(str(error))
        except RecursionError:
            stopped = None
        else:
            stopped = None
        if stopped is None:
            raise Unclear
        begin = self._at
        self._at += int(stopped[1]) - 1  # it counts these from 1
        passed = self._body[begin : self._at]
        try:
            str(passed, "utf-8")  # the decoder does not look into texts that it passes
        except UnicodeDecodeError:
            raise Unclear from None
        return passed

    def text(self) -> str:
        """Pass a text, and decode it."""
        try:
            return _text_decoder.decode(self.value())
        except msgspec.DecodeError:
            raise Unclear from None

    def take(self, expected: bytes) -> bytes:
        """Pass blanks and one of the bytes `expected`; returns which one."""
        self._pass_blanks()
        found = bytes(self._body[self._at : self._at + 1])
        if not found or found not in expected:
            raise Unclear
        self._at += 1
        return found

    def next_is(self, byte: bytes) -> bool:
        """Whether that comes next but for blanks."""
        self._pass_blanks()
        return self._body[self._at : self._at + 1] == byte

    def ended(self) -> bool:
        """Whether nothing is left but blanks."""
        self._pass_blanks()
        return self._at == len(self._body)

    def _pass_blanks(self) -> None:
        blanks = _BLANKS.match(self._body, self._at)
        if blanks is not None:
            self._at = blanks.end()
