"""JSON into typed values, every fault with its place: what all bodies share."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, NoReturn, TypeVar, get_args

import msgspec
import numpy as np

from core.errors import InvalidInput
from core.experiments.experiment import Metric, Mode
from core.features.timeframes import Timeframe
from core.store.interface import OutcomeName
from server.http.bodies import sizes
from server.http.errors import MalformedJson

T = TypeVar("T")

# What a decoder raises where it cannot decode.
UNDECODABLE = (msgspec.DecodeError, RecursionError)

_raw_decoder = msgspec.json.Decoder(msgspec.Raw)

# msgspec ends a message with the place, and names a missing or unknown field in the sentence. Of a bad key it tells in
# which object it is.
_PLACE = re.compile(r" - at (?:`key` in )?`\$\.?(?P<path>.*)`\Z", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`\Z")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*)`\Z", re.DOTALL)
_EXTREME = re.compile(rb"[eE][+-]?0*[1-9][0-9]{2}")
_SMALL = np.uint8(0x20)  # the bit in which small letters differ from capitals
_FIRST, _LAST = np.frombuffer(b"+9", np.uint8)  # between them in ASCII: signs, digits, and , . /
_ZERO, _NINE = np.frombuffer(b"09", np.uint8)
_BLOCK = 32
_EIGHT, _FOUR = np.uint64(0x01_01_01_01_01_01_01_01), np.uint32(0x01_01_01_01)  # so many that are all true
_BYTE = re.compile(r"JSON is malformed: (?P<reason>.*) \(byte (?P<position>\d+)\)\Z", re.DOTALL)


def _one_of(kind: Any) -> str:  # noqa: ANN401 - a Literal, which has no type of its own
    return f"expected one of {' '.join(get_args(kind))}"


# What msgspec says of these is true but does not tell a person what to write.
_EXPECTED = {
    "pair": "expected two currencies of three capital letters, such as EUR/USD",
    "timeframe": _one_of(Timeframe),
    "timestamps": "expected open or close: which instant of a candle its timestamp is",
    "experiment_id": "expected 1 to 64 letters, digits and _ . -, not starting with .",
    "name": "expected one line of 1 to 200 characters, not all of them blanks",
    "description": "expected a text of at most 2,000 characters, none of them NUL",
    "traffic_split": "expected a number from 0 to 1",
    "mode": _one_of(Mode),
    "metric": _one_of(Metric),
    "prediction_id": "expected 1 to 64 visible ASCII characters, as in the prediction's answer",
    "outcome": _one_of(OutcomeName),
}


def decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, prefix: str = "") -> T:
    """What the decoder makes of a body, or of the part of it at `prefix`. Raises MalformedJson or InvalidInput.

    The decoder makes all of it in one go, and bounds a list after it has built it: what is large is looked at first.
    """
    if memoryview(body).nbytes > sizes.UNCOUNTED:
        _check_amount(body, prefix)
    try:
        return decoder.decode(body)
    except UNDECODABLE as error:
        refuse(error, body, prefix)


def refuse(error: Exception, body: bytes | msgspec.Raw, prefix: str = "") -> NoReturn:
    """Raise MalformedJson or InvalidInput for one of UNDECODABLE that a decoder raised for a body, as of `decode`."""
    if isinstance(error, msgspec.ValidationError):
        # The decoder stops at the first bad value and may not have seen that the rest is no JSON at all.
        _check_well_formed(body)
        raise _invalid(str(error), prefix) from None
    _refuse_malformed(error, body)


def _check_amount(body: bytes | msgspec.Raw, path: str) -> None:
    """Raise InvalidInput where decoding would take too long. What stands within texts counts as well."""
    codes = np.frombuffer(body, np.uint8)
    if np.count_nonzero(codes == ord(",")) > sizes.VALUES:
        raise InvalidInput.at(path, f"expected at most {sizes.VALUES:,} values, told by the commas")
    most = sizes.EXTREME_NUMBERS
    # Letters e that may be exponents', which takes a tenth of the time of finding those of three digits.
    signs_and_digits = codes[1:] - _FIRST <= _LAST - _FIRST  # of what is below the first, the difference is large
    exponents = ((codes[:-1] | _SMALL) == ord("e")) & signs_and_digits
    if np.count_nonzero(exponents) > most and any(islice(_EXTREME.finditer(memoryview(body)), most, None)):
        raise InvalidInput.at(path, f"expected at most {most:,} numbers with exponents of three digits")
    # No usual number fills an aligned block. One of 190 digits fills three, also with a point in it.
    digits = codes[: len(codes) // _BLOCK * _BLOCK] - _ZERO <= _NINE - _ZERO
    eights = digits.view(np.uint64) == _EIGHT
    if np.count_nonzero(eights.view(np.uint32) == _FOUR) > 3 * most:
        raise InvalidInput.at(path, f"expected at most {most:,} numbers of hundreds of digits")


def _check_well_formed(body: bytes | msgspec.Raw) -> None:
    try:
        _raw_decoder.decode(body)  # walks all of it and builds nothing
    except UNDECODABLE as error:
        _refuse_malformed(error, body)


def _invalid(text: str, prefix: str) -> InvalidInput:
    place = _PLACE.search(text)
    path, message = ("", text) if place is None else (place["path"], text[: place.start()])
    missing = _MISSING.match(message)
    if missing is not None:
        path, message = f"{path}.{missing['field']}".lstrip("."), "missing"
    elif (unknown := _UNKNOWN.match(message)) is not None:
        path, message = f"{path}.{unknown['field']}".lstrip("."), "there is no such field"
    elif path in _EXPECTED:
        message = _EXPECTED[path]
    separator = "." if prefix and path and not path.startswith("[") else ""
    return InvalidInput.at(f"{prefix}{separator}{path}", message)


def _refuse_malformed(error: Exception, body: bytes | msgspec.Raw) -> NoReturn:
    if isinstance(error, RecursionError):
        raise MalformedJson("the body is nested too deeply") from None
    found = _BYTE.match(str(error))
    if found is None:
        raise MalformedJson(f"the body is not JSON: it ends too early (byte {len(bytes(body))})") from None
    # msgspec counts these from 1, all others from 0.
    position = int(found["position"]) - (found["reason"] == "trailing characters")
    raise MalformedJson(f"the body is not JSON: {found['reason']} (byte {position})") from None
