"""Decompression of gzip and deflate in steps whose time and memory do not depend on the data."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from server.http.errors import MalformedJson

# The values of Content-Encoding that are supported.
PACKINGS = ("gzip", "deflate")
# The most bytes that one step takes and returns, which takes a third of a millisecond.
_TAKEN = 16 * 1024
_GIVEN = 64 * 1024
# Several compressed streams may follow each other. Each takes microseconds, even an empty one.
_MOST_MEMBERS = 1_000

_GZIP = 16 + zlib.MAX_WBITS
_METHOD_BITS, _DEFLATED = 0x0F, 8


class Unpacking:
    """A body that is decompressed piece by piece. Every method raises MalformedJson if the data are damaged."""

    def __init__(self, packing: str) -> None:
        """`packing`: one of PACKINGS."""
        self._packing = packing
        self._window_bits = _GZIP
        self._member: zlib._Decompress | None = None  # null between two streams
        self._members = 0
        self._is_full = False  # whether the last step returned the most bytes, so that more may follow

    def steps(self, piece: bytes) -> Iterator[bytes]:
        """The bytes that a piece yields, at most 64 KiB a step and perhaps none."""
        if self._packing == "deflate" and self._members == 0 and piece:
            # RFC 9110 asks for the format of RFC 1950 (zlib), which begins with its method. Some clients send that of
            # RFC 1951, without a header.
            zlib_format = piece[0] & _METHOD_BITS == _DEFLATED
            self._window_bits = zlib.MAX_WBITS if zlib_format else -zlib.MAX_WBITS
        for begin in range(0, len(piece), _TAKEN):
            left = piece[begin : begin + _TAKEN]
            while left or self._is_full:
                given, left = self._step(left)
                yield given

    def end(self) -> None:
        """Note that the body is complete."""
        if self._member is not None:
            raise self._malformed("ends too early; send all of it")

    def _step(self, packed: bytes) -> tuple[bytes, bytes]:
        """The bytes that some bytes yield, and the rest of them for the next step."""
        if self._member is None:
            self._members += 1
            if self._members > _MOST_MEMBERS:
                raise self._malformed(f"has more than {_MOST_MEMBERS:,} compressed streams in a row; send one")
            self._member = zlib.decompressobj(self._window_bits)
        member = self._member
        try:
            given = member.decompress(packed, _GIVEN)
        except zlib.error:
            raise self._malformed(f"is not {self._packing}; compress it so, or leave the header out") from None
        self._is_full = len(given) == _GIVEN and not member.eof
        if member.eof:
            self._member = None
            return given, member.unused_data
        return given, member.unconsumed_tail

    def _malformed(self, reason: str) -> MalformedJson:
        return MalformedJson(f"the header says Content-Encoding: {self._packing}, but the body {reason}")
