"""A decoder's complaint about a value, in the words of a client that writes JavaScript.

This runs only after decoding has failed. A complaint of an unknown form stays as msgspec wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import msgspec

from core.errors import InvalidInput, quoted
from server.http.bodies import seen, sizes
from server.http.bodies.wanted import FORMS, ISO_8601, Wanted, either, number, with_article

# msgspec ends a message with the place, and names a missing or unknown field in the sentence. If a key is at fault, the
# place is the object that has it. What looks like a place before the last one is a part of the client's value.
_PLACE_BEGINS = " - at `"
_PLACE = re.compile(r" - at (?P<key>`key` in )?`\$\.?(?P<path>.*)`\Z", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*)`", re.DOTALL)

_TYPES = {
    "float": "number",
    "int": "integer",
    "str": "string",
    "bool": "boolean",
    "array": "array",
    "object": "object",
    "null": "null",
}
_UNITS = {"array": ("item", "items"), "object": ("key", "keys"), "string": ("character", "characters")}
_UNITS_AT = {"data": ("candle", "candles"), "outcomes": ("outcome", "outcomes"), "versions": ("version", "versions")}
_NOT_A_NUMBER = "; JSON.stringify writes null for NaN and Infinity"
_BODY, _ITEM = "the body ", "the item "
_STRINGIFIED = "; send the value itself, without JSON.stringify"


class Fault(NamedTuple):
    """A value that a decoder refused. value: its JSON text; null if it was not found."""

    path: str
    is_key: bool
    wanted: Wanted
    value: bytes | None
    subject: str  # begins a message about a place that has no path
    within: str = ""  # the place of the part of a body that was decoded

    def shown(self) -> str:
        """`, not 1.5`; the type, if the value has no short form."""
        if self.value is None:
            return ""
        return f", not {seen.shown(self.value) or with_article(seen.kind_of(self.value))}"


def refusal(complaint: str, kind: Any, body: bytes | msgspec.Raw, prefix: str) -> InvalidInput:  # noqa: ANN401
    """The error for a body, or for the part of it at `prefix`, that a decoder of that type refused."""
    path, text, is_key = _placed(complaint, body)
    where = seen.steps(path)
    is_small = memoryview(body).nbytes <= sizes.READ_AGAIN
    value = seen.value_at(body, where) if where is not None and is_small else None
    subject = "" if path or prefix else _ITEM if isinstance(body, msgspec.Raw) else _BODY
    fault = Fault(path, is_key, Wanted.at(kind, where), value, subject, prefix)
    added, message = None, text
    for form, explain in _FORMS:
        if (found := form.match(text)) is not None:
            added, message = explain(found, fault)
            break
    path = f"{path}.{seen.shown_key(added)}".lstrip(".") if added is not None else path
    separator = "." if prefix and path and not path.startswith("[") else ""
    return InvalidInput.at(f"{prefix}{separator}{path}", message)


def _placed(complaint: str, body: bytes | msgspec.Raw) -> tuple[str, str, bool]:
    """The path of a complaint, the complaint without it, and whether it is about a key."""
    begins = complaint.rfind(_PLACE_BEGINS)
    place = _PLACE.match(complaint, begins if begins >= 0 else len(complaint))
    if place is None:
        return "", complaint, False
    unknown = _UNKNOWN.fullmatch(complaint)
    if unknown is not None and unknown["field"] in (seen.keys_of(seen.value_at(body, ())) or ()):
        return "", complaint, False  # the client's key itself has what looks like a place
    return place["path"], complaint[: place.start()], place["key"] is not None


def _missing(found: re.Match[str], fault: Fault) -> tuple[str | None, str]:
    return found["field"], seen.missing(found["field"], seen.keys_of(fault.value), fault.wanted.known)


def _unknown(found: re.Match[str], fault: Fault) -> tuple[str | None, str]:
    known = fault.wanted.known
    near = seen.similar(found["field"], known)
    advice = f"; did you mean {near}?" if near else f"; known are {', '.join(known)}" if known else ""
    return found["field"], f"there is no such field{advice}"


def _wrong_type(found: re.Match[str], fault: Fault) -> tuple[str | None, str]:
    given = _TYPES.get(found["given"], found["given"])
    wanted = fault.wanted.types() or either(
        with_article(_TYPES.get(each, each)) for each in found["wanted"].split(" | ")
    )
    if given == "string" and fault.subject == _BODY:
        return None, f"{_BODY}is a JSON string, not an object; send JSON.stringify(request) once"
    sent, value = with_article("number" if given == "integer" else given), fault.value
    is_it = value is not None and seen.kind_of(value) == given
    if given == "number" and fault.wanted.takes_integers and not fault.wanted.takes_numbers:
        sent = f"{seen.shown(value)}" if value is not None and is_it else "a number with a fraction"
    advice = ""
    if given == "null" and fault.wanted.takes_integers:
        advice = _NOT_A_NUMBER
    is_json = given == "string" and is_it and (seen.text_of(value) or "").lstrip()[:1] in ("{", "[")
    if is_json and fault.wanted.takes_parts:
        advice = _STRINGIFIED
    return None, f"{fault.subject}must be {wanted}, not {sent}{advice}"


def _length(found: re.Match[str], fault: Fault) -> tuple[str | None, str]:
    kind = _TYPES.get(found["kind"], found["kind"])
    if kind == "string" and fault.wanted.form is not None and not fault.is_key and fault.path != "description":
        count = seen.count_of(fault.value)
        is_wrong = count is not None and (count > int(found["limit"])) == (found["sign"] == "<=")
        advice = ISO_8601 if fault.wanted.form == FORMS["timestamp"] else ""
        return None, f"must be {fault.wanted.types()}{fault.shown() if is_wrong else ''}{advice}"
    limit = f"at {'most' if found['sign'] == '<=' else 'least'} {int(found['limit']):,}"
    one, several = _UNITS_AT.get(fault.path or fault.within, _UNITS[kind])
    if fault.is_key:
        return None, f"each key must have {limit} {several}"
    has = seen.count_of(fault.value) if fault.value is not None and seen.kind_of(fault.value) == kind else None
    bounds = fault.wanted.length(kind) or limit
    is_wrong = has is not None and (has > int(found["limit"])) == (found["sign"] == "<=")
    unit = one if bounds.endswith(" 1") else several
    return None, f"must have {bounds} {unit}" + (f", has {has:,}" if has is not None and is_wrong else "")


def _tuple_length(found: re.Match[str], fault: Fault) -> tuple[str | None, str]:
    least, most = int(found["least"]), int(found["most"] or found["least"])
    bounds = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    count = int(found["given"]) if found["given"] else seen.count_of(fault.value)
    has = "" if count is None or least <= count <= most else f", has {count:,}"
    return (
        None,
        f"must have {'at least ' if found['open'] else ''}{bounds} {'value' if bounds == '1' else 'values'}{has}",
    )


def _bound(found: re.Match[str], fault: Fault) -> tuple[str | None, str]:
    sign, limit = found["sign"], float(found["limit"])
    words = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}
    bounds = fault.wanted.range() or f"{words[sign]} {number(limit)}"
    return None, f"must be {bounds}{_broken(fault, sign, limit)}"


def _broken(fault: Fault, sign: str, limit: float) -> str:
    """The value, if it is the one that breaks the limit."""
    if fault.value is None or seen.kind_of(fault.value) not in ("integer", "number"):
        return ""
    try:
        value = float(fault.value)
    except ValueError:
        return ""
    kept = {">=": value >= limit, "<=": value <= limit, ">": value > limit, "<": value < limit}[sign]
    return "" if kept else fault.shown()


def _multiple(found: re.Match[str], fault: Fault) -> tuple[str | None, str]:
    return None, f"must be a multiple of {number(float(found['limit']))}{fault.shown()}"


def _pattern(found: re.Match[str], fault: Fault) -> tuple[str | None, str]:  # noqa: ARG001 - as all
    if fault.is_key:
        return None, "has a key of a wrong form"
    form = fault.wanted.form or f"a string that matches {fault.wanted.pattern()}"
    text, pattern = seen.text_of(fault.value), fault.wanted.pattern()
    is_wrong = text is not None and (not pattern or re.search(pattern, text) is None or text.endswith("\n"))
    return None, f"must be {form}{fault.shown() if is_wrong else ''}"


def _enum(found: re.Match[str], fault: Fault) -> tuple[str | None, str]:
    values = fault.wanted.values()
    if not values:
        return None, f"is not one of the known values: {quoted(found['value'])}"
    text = seen.text_of(fault.value)
    is_wrong = text is not None and text not in values.removeprefix("one of ").split(", ")
    return None, f"must be {values}{fault.shown() if is_wrong else ''}"


def _out_of_range(found: re.Match[str], fault: Fault) -> tuple[str | None, str]:  # noqa: ARG001 - as all
    finite = "a finite number"
    wanted = fault.wanted.range() or (finite if fault.wanted.takes_numbers else fault.wanted.types() or finite)
    return None, f"{fault.subject}must be {wanted}{fault.shown() if seen.is_too_large(fault.value) else ''}"


_TUPLE = r"Expected `array` of (?P<open>at least )?length (?P<least>\d+)(?: to (?P<most>\d+))?(?:, got (?P<given>\d+))?"
Explain: TypeAlias = Callable[[re.Match[str], Fault], tuple[str | None, str]]

# msgspec's messages about JSON, from its source, `_core.c` of 0.22. The explanation is a key to add to the path, and
# the message.
_FORMS: tuple[tuple[re.Pattern[str], Explain], ...] = tuple(
    (re.compile(form + r"\Z", re.DOTALL), explain)
    for form, explain in (
        (r"Object missing required field `(?P<field>.*)`", _missing),
        (_UNKNOWN.pattern, _unknown),
        (r"Expected `(?P<wanted>[^`]*)`, got `(?P<given>[^`]*)`", _wrong_type),
        (r"Expected `(?P<kind>array|object|str)` of length (?P<sign><=|>=) (?P<limit>\d+)", _length),
        (_TUPLE, _tuple_length),
        (r"Expected `(?:float|int)` (?P<sign><=|>=|<|>) (?P<limit>\S+)", _bound),
        (r"Expected `(?:float|int)` that's a multiple of (?P<limit>\S+)", _multiple),
        (r"Expected `str` matching regex .*", _pattern),
        (r"Invalid (?:enum )?value (?P<value>.*)", _enum),
        (r"(?:Integer value|Number) out of range", _out_of_range),
    )
)
