"""Undoing gzip and deflate step by step, so that neither the time nor the memory of a step depends on what was sent."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from server.http.errors import MalformedJson

# How Content-Encoding calls what can be undone.
PACKINGS = ("gzip", "deflate")
# The most that one step takes and gives: a third of a millisecond.
_TAKEN = 16 * 1024
_GIVEN = 64 * 1024
# Packed data may be several in a row. Each takes microseconds, even one that holds nothing.
_MOST_MEMBERS = 1_000

_GZIP = 16 + zlib.MAX_WBITS
_METHOD_BITS, _DEFLATED = 0x0F, 8


class Unpacking:
    """What comes in pieces, unpacked. Every method raises MalformedJson where it is not what it says to be."""

    def __init__(self, packing: str) -> None:
        """`packing`: one of PACKINGS."""
        self._packing = packing
        self._window_bits = _GZIP
        self._member: zlib._Decompress | None = None  # between two of them, null
        self._members = 0
        self._is_full = False  # whether the last step gave all that it may, so that there may be more

    def steps(self, piece: bytes) -> Iterator[bytes]:
        """What this piece adds, each step of it no more than 64 KiB and perhaps nothing."""
        if self._packing == "deflate" and self._members == 0 and piece:
            # RFC 9110 means zlib's format, RFC 1950, which begins with its method. Some clients send RFC 1951's, bare.
            zlib_format = piece[0] & _METHOD_BITS == _DEFLATED
            self._window_bits = zlib.MAX_WBITS if zlib_format else -zlib.MAX_WBITS
        for begin in range(0, len(piece), _TAKEN):
            left = piece[begin : begin + _TAKEN]
            while left or self._is_full:
                given, left = self._step(left)
                yield given

    def end(self) -> None:
        """Nothing more comes."""
        if self._member is not None:
            raise self._malformed("it ends too early")

    def _step(self, packed: bytes) -> tuple[bytes, bytes]:
        """What some bytes give, and what is left of them for the next step."""
        if self._member is None:
            self._members += 1
            if self._members > _MOST_MEMBERS:
                raise self._malformed(f"it is more than {_MOST_MEMBERS:,} in a row")
            self._member = zlib.decompressobj(self._window_bits)
        member = self._member
        try:
            given = member.decompress(packed, _GIVEN)
        except zlib.error:
            raise self._malformed("it is something else") from None
        self._is_full = len(given) == _GIVEN and not member.eof
        if member.eof:
            self._member = None
            return given, member.unused_data
        return given, member.unconsumed_tail

    def _malformed(self, reason: str) -> MalformedJson:
        return MalformedJson(f"the body cannot be read as {self._packing}: {reason}")
