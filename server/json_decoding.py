"""JSON into typed values, every fault with its place: what all bodies share."""

from __future__ import annotations

import re
from typing import NoReturn, TypeVar, get_args

import msgspec

from core.errors import InvalidInput
from server.errors import MalformedJson
from server.schemas import Timeframe

T = TypeVar("T")

_raw_decoder = msgspec.json.Decoder(msgspec.Raw)

# msgspec ends a message with the place, and names a missing field in the sentence.
_PLACE = re.compile(r" - at `\$\.?(?P<path>.*)`\Z", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`\Z")
_BYTE = re.compile(r"JSON is malformed: (?P<reason>.*) \(byte (?P<position>\d+)\)\Z", re.DOTALL)
# What msgspec says of these is true but does not tell a person what to write.
_EXPECTED = {
    "pair": "expected two currencies of three capital letters, such as EUR/USD",
    "timeframe": f"expected one of {' '.join(get_args(Timeframe))}",
    "experiment_id": "expected 1 to 64 letters, digits and _ . -, not starting with .",
}


def decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, prefix: str = "") -> T:
    """What the decoder makes of a body, or of the part of it at `prefix`. Raises MalformedJson or InvalidInput."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        # The decoder stops at the first bad value and may not have seen that the rest is no JSON at all.
        _check_well_formed(body)
        raise _invalid(str(error), prefix) from None
    except (msgspec.DecodeError, RecursionError) as error:
        _refuse_malformed(error, body)


def _check_well_formed(body: bytes | msgspec.Raw) -> None:
    try:
        _raw_decoder.decode(body)  # walks all of it and builds nothing
    except (msgspec.DecodeError, RecursionError) as error:
        _refuse_malformed(error, body)


def _invalid(text: str, prefix: str) -> InvalidInput:
    place = _PLACE.search(text)
    path, message = ("", text) if place is None else (place["path"], text[: place.start()])
    missing = _MISSING.match(message)
    if missing is not None:
        path, message = f"{path}.{missing['field']}".lstrip("."), "missing"
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
