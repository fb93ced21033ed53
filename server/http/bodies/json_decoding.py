"""JSON into typed values, every fault with its place: what the decoding of all bodies has in common."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, NoReturn, TypeVar

import msgspec
import numpy as np

from core.errors import InvalidInput
from server.http.bodies import sizes
from server.http.bodies.explaining import refusal
from server.http.bodies.malformed import fault_of, not_json, too_deep, truncated

T = TypeVar("T")

# The errors of a decoder that cannot decode a body.
UNDECODABLE = (msgspec.DecodeError, RecursionError)

_raw_decoder = msgspec.json.Decoder(msgspec.Raw)

_EXTREME = re.compile(rb"[eE][+-]?0*[1-9][0-9]{2}")
_SMALL = np.uint8(0x20)  # the bit in which small letters differ from capitals
_FIRST, _LAST = np.frombuffer(b"+9", np.uint8)  # between them in ASCII: signs, digits, and , . /
_ZERO, _NINE = np.frombuffer(b"09", np.uint8)
_BLOCK = 32
_EIGHT, _FOUR = np.uint64(0x01_01_01_01_01_01_01_01), np.uint32(0x01_01_01_01)  # so many that are all true


def decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, prefix: str = "") -> T:
    """Decode a body, or the part of it at `prefix`. Raises MalformedJson or InvalidInput.

    The decoder builds the whole value at once, and checks the length of a list only after it has built it. A large
    body is therefore measured first.
    """
    measure(body, prefix)
    try:
        return decoder.decode(body)
    except UNDECODABLE as error:
        refuse(error, decoder, body, prefix)


def measure(body: bytes | msgspec.Raw, prefix: str = "") -> None:
    """Raise InvalidInput if decoding would take too long; arguments as of `decode`."""
    if memoryview(body).nbytes > sizes.UNCOUNTED:
        _check_amount(body, prefix)


def refuse(
    error: Exception,
    decoder: msgspec.json.Decoder[Any],
    body: bytes | msgspec.Raw,
    prefix: str = "",
) -> NoReturn:
    """Raise MalformedJson or InvalidInput for one of UNDECODABLE; arguments as of `decode`."""
    if isinstance(error, msgspec.ValidationError):
        # The decoder stops at the first bad value. The rest of the body may not be JSON.
        _check_well_formed(body)
        raise refusal(str(error), decoder.type, body, prefix) from None
    _refuse_malformed(error, body)


def _check_amount(body: bytes | msgspec.Raw, path: str) -> None:
    """Raise InvalidInput if decoding would take too long. Characters within strings count as well."""
    codes = np.frombuffer(body, np.uint8)
    subject = "" if path else "the body "
    if np.count_nonzero(codes == ord(",")) > sizes.VALUES:
        raise InvalidInput.at(
            path, f"{subject}must have at most {sizes.VALUES:,} values (commas are counted); send less"
        )
    most = sizes.EXTREME_NUMBERS
    # Count each letter e that may begin an exponent: this takes a tenth of the time of a search for three digits.
    signs_and_digits = codes[1:] - _FIRST <= _LAST - _FIRST  # unsigned: a code below the first gives a large difference
    exponents = ((codes[:-1] | _SMALL) == ord("e")) & signs_and_digits
    if np.count_nonzero(exponents) > most and any(islice(_EXTREME.finditer(memoryview(body)), most, None)):
        message = f"{subject}must have at most {most:,} numbers with exponents of three digits, such as 1e308"
        raise InvalidInput.at(path, message)
    # No usual number fills an aligned block. One of 190 digits fills three, even with a point in it.
    digits = codes[: len(codes) // _BLOCK * _BLOCK] - _ZERO <= _NINE - _ZERO
    eights = digits.view(np.uint64) == _EIGHT
    if np.count_nonzero(eights.view(np.uint32) == _FOUR) > 3 * most:
        raise InvalidInput.at(path, f"{subject}must have at most {most:,} numbers of hundreds of digits")


def _check_well_formed(body: bytes | msgspec.Raw) -> None:
    try:
        _raw_decoder.decode(body)  # passes over the whole body and builds nothing
    except UNDECODABLE as error:
        _refuse_malformed(error, body)


def _refuse_malformed(error: Exception, body: bytes | msgspec.Raw) -> NoReturn:
    if isinstance(error, RecursionError):
        raise too_deep() from None
    fault = fault_of(error)
    whole = memoryview(body)
    if fault is None:
        raise truncated(whole) from None
    raise not_json(fault.reason, fault.byte, whole) from None
