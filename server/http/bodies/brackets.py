"""Where the values of a JSON list end, judged by their brackets. Whether they are JSON is not checked."""

from __future__ import annotations

import numpy as np

# As much as is searched at once. Even if every byte is a bracket, that takes less than a millisecond.
STEP = 64 * 1024
# Each opening bracket is 0x7B and each closing one 0x7D with this bit: [ and { differ in it, and ] and }.
_SQUARE = np.uint8(0x20)
_OPENING, _CLOSING, _MIDDLE = np.uint8(0x7B), np.uint8(0x7D), np.int64(0x7C)
_QUOTE = np.uint8(0x22)


class Brackets:
    """A search from a place outside all values: `behind` finds the ends of those that have brackets, in order.

    Without `strings`, which takes half of the time, it takes brackets within strings for brackets.
    """

    def __init__(self, body: memoryview, begin: int, *, strings: bool) -> None:
        self.searched = begin
        self._body = body
        self._strings = strings
        self._depth = self._quotes = 0
        self._is_escaped = False  # the next byte
        self._ends: list[int] = []  # those that were found and are not passed, the last one first

    def behind(self, begin: int) -> int | None:
        """The first end behind a place, among those that were found so far. Ends up to it are forgotten."""
        while self._ends:
            if self._ends[-1] > begin:
                return self._ends[-1]
            self._ends.pop()
        return None

    def search(self) -> None:
        """Search the next part of the body."""
        begin = self.searched
        part = self._body[begin : begin + STEP]
        self.searched += len(part)
        codes = np.frombuffer(self._without_escapes(bytes(part)) if self._strings else part, np.uint8)
        folded = codes | _SQUARE
        places = np.flatnonzero((folded == _OPENING) | (folded == _CLOSING))
        if self._strings:
            quotes = np.flatnonzero(codes == _QUOTE)
            places = places[(np.searchsorted(quotes, places) + self._quotes) % 2 == 0]
            self._quotes += len(quotes)
        if len(places):
            depths = self._depth + np.cumsum(_MIDDLE - folded[places])
            self._depth = int(depths[-1])
            self._ends = (places[depths == 0][::-1] + (begin + 1)).tolist()

    def _without_escapes(self, part: bytes) -> bytes:
        """Put other characters in place of escaped quotes."""
        if self._is_escaped:
            part = b"_" + part[1:]
        self._is_escaped = (len(part) - len(part.rstrip(b"\\"))) % 2 == 1
        return part.replace(b"\\\\", b"__").replace(b'\\"', b"__") if b"\\" in part else part
