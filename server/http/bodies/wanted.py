"""What a decoder takes at a place, in the words of JSON, read from the types that it decodes to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from msgspec import inspect

from server.http.bodies.seen import Step

_WITH_AN = ("integer", "array", "object")
_KINDS: dict[type[inspect.Type], str] = {
    inspect.FloatType: "number",
    inspect.IntType: "integer",
    inspect.StrType: "string",
    inspect.LiteralType: "string",
    inspect.BoolType: "boolean",
    inspect.ListType: "array",
    inspect.TupleType: "array",
    inspect.StructType: "object",
    inspect.DictType: "object",
    inspect.NoneType: "null",
}
_GROUPED_BELOW = 1e7  # larger numbers are written with an exponent
# Advice for a text that is not a time.
ISO_8601 = "; ISO 8601 is such as 2025-10-16T09:00:00Z"
# Strings that have a form. msgspec would quote its regular expression.
FORMS = {
    "pair": "two currencies of three capital letters such as EUR/USD",
    "experiment_id": "a name of 1 to 64 letters, digits and _ . - that does not start with a dot",
    "name": "one line of 1 to 200 characters that are not all blank",
    "owner": "one line of at most 200 characters",
    "text": "a text of 1 to 2,000 characters that are not all blank, without the character NUL",
    "description": "a text without the character NUL",
    "prediction_id": "the prediction_id of a prediction's answer, 1 to 64 visible ASCII characters",
    "timestamp": "ISO 8601 text or a number of seconds or milliseconds",
    "closed_at": "ISO 8601 text or a number of seconds or milliseconds",
    "stop_at": "ISO 8601 text or a number of seconds or milliseconds",
}


@lru_cache(maxsize=64)
def _info(kind: Any) -> inspect.Type:  # noqa: ANN401 - a type
    return inspect.type_info(kind)


@lru_cache(maxsize=64)
def _literals(struct: type) -> dict[frozenset[Any], tuple[Any, ...]]:
    """The values of each `Literal` in a struct's fields, in the order of the source; msgspec sorts them."""
    found: dict[frozenset[Any], tuple[Any, ...]] = {}
    hints: list[Any] = list(get_type_hints(struct, include_extras=True).values())
    while hints:
        hint = hints.pop()
        if get_origin(hint) is Literal:
            found[frozenset(get_args(hint))] = get_args(hint)
        else:
            hints += get_args(hint)
    return found


class Wanted:
    """What may stand at a place: one of some types. Empty if the place is not one that the decoder knows."""

    def __init__(self, options: Sequence[inspect.Type], field: str = "", struct: type | None = None) -> None:
        """`field`: the key of the place, if it has one, and `struct`: the type that has this field."""
        self.options = options
        is_formed = any(isinstance(option, inspect.StrType) and option != inspect.StrType() for option in options)
        self.form = FORMS.get(field) if is_formed else None  # a name may also be any string
        self._struct = struct

    @classmethod
    def at(cls, kind: Any, where: Iterable[Step] | None) -> Wanted:  # noqa: ANN401 - a type
        """What the decoder of a type takes at a place of a body."""
        if where is None:
            return cls(())
        options, field, struct = _options(_info(kind)), "", None
        for step in where:
            struct = next((each.cls for each in options if isinstance(each, inspect.StructType)), None)
            options = [inner for option in options for inner in _within(option, step)]
            field = step if isinstance(step, str) else field  # an item of a column is of the column's form
        return cls(options, field, struct)

    @property
    def known(self) -> list[str]:
        """All keys that an object may have here."""
        return [field.encode_name for field in self._fields()]

    def _fields(self) -> list[inspect.Field]:
        return [field for option in self.options if isinstance(option, inspect.StructType) for field in option.fields]

    @property
    def takes_integers(self) -> bool:
        """Whether a number without a fraction is allowed."""
        return any(isinstance(option, inspect.FloatType | inspect.IntType) for option in self.options)

    @property
    def takes_numbers(self) -> bool:
        """Whether every number is allowed, apart from limits."""
        return any(isinstance(option, inspect.FloatType) for option in self.options)

    @property
    def takes_parts(self) -> bool:
        """Whether an array or an object is allowed."""
        return any(_kind(option) in ("array", "object") for option in self.options)

    def types(self) -> str:
        """The types of all values that are allowed, such as `a string, an integer or null`; empty if not known."""
        if found := self.form or self.values():
            return found
        names = [name for option in self.options if (name := _name(option))]
        if "a number" in names:
            names = [name for name in names if name != "an integer"]
        return either(dict.fromkeys(names))

    def values(self) -> str:
        """The allowed values of an enumeration, such as `one of open, close`; empty if it is not one."""
        for option in self.options:
            if isinstance(option, inspect.LiteralType):
                declared = {} if self._struct is None else _literals(self._struct)
                return f"one of {', '.join(map(str, declared.get(frozenset(option.values), option.values)))}"
        return ""

    def range(self) -> str:
        """The numbers that are allowed; empty if all are, or that is not known."""
        for option in self.options:
            if isinstance(option, inspect.FloatType | inspect.IntType) and (found := _range(option)):
                return found
        return ""

    def pattern(self) -> str:
        """The regular expression of a string, as JavaScript writes it; empty if there is none."""
        for option in self.options:
            if isinstance(option, inspect.StrType) and option.pattern is not None:
                return option.pattern.replace(r"\A", "^").replace(r"\Z", "$")
        return ""

    def length(self, kind: str) -> str:
        """How many items, keys or characters a value of that type may have; empty if that is not known."""
        for option in self.options:
            if _kind(option) == kind:
                least, most = getattr(option, "min_length", None) or 0, getattr(option, "max_length", None)
                if most is not None:
                    return f"{least:,} to {most:,}" if least else f"at most {most:,}"
                return f"at least {least:,}"
        return ""


def either(names: Iterable[str]) -> str:
    """`a, b or c`."""
    *most, last = list(names) or [""]
    return f"{', '.join(most)} or {last}" if most else last


def with_article(kind: str) -> str:
    """The name of a type with its article: `a string`, `an object`, `null`."""
    return kind if kind == "null" else f"{'an' if kind in _WITH_AN else 'a'} {kind}"


def number(value: float) -> str:
    """A limit as a person writes it: 2,000, 0.5, 1e12."""
    if math.isfinite(value) and abs(value) < _GROUPED_BELOW and float(value).is_integer():
        return f"{int(value):,}"
    mantissa, _, exponent = f"{value:.15g}".partition("e")
    if not exponent and abs(value) >= _GROUPED_BELOW:
        mantissa, _, exponent = f"{value:e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def _options(info: inspect.Type) -> list[inspect.Type]:
    if isinstance(info, inspect.Metadata):
        return _options(info.type)
    if isinstance(info, inspect.UnionType):
        return [option for each in info.types for option in _options(each)]
    return [info]


def _within(info: inspect.Type, step: Step) -> list[inspect.Type]:
    if isinstance(step, int):
        if isinstance(info, inspect.TupleType):
            return _options(info.item_types[step]) if step < len(info.item_types) else []
        return _options(info.item_type) if isinstance(info, inspect.ListType) else []
    if isinstance(info, inspect.StructType):
        return [option for field in info.fields if field.encode_name == step for option in _options(field.type)]
    return _options(info.value_type) if isinstance(info, inspect.DictType) else []


def _kind(info: inspect.Type) -> str:
    return _KINDS.get(type(info), "")


def _name(info: inspect.Type) -> str:
    kind = _kind(info)
    if isinstance(info, inspect.ListType):
        return f"an array{_of_items(info)}"
    if isinstance(info, inspect.StructType):
        keys = [field.encode_name for field in info.fields if field.required]
        return f"an object with {', '.join(keys)}" if keys else "an object"
    return with_article(kind) if kind else ""


def _of_items(info: inspect.ListType) -> str:
    """` of numbers`, ` of arrays of numbers`; empty if the items may be of several types."""
    kinds = [_kind(option) for option in _options(info.item_type)]
    if len(kinds) != 1 or not kinds[0]:
        return ""
    (item,) = _options(info.item_type)
    return f" of {kinds[0]}s" + (_of_items(item) if isinstance(item, inspect.ListType) else "")


def _range(info: inspect.FloatType | inspect.IntType) -> str:
    low = number(info.ge) if info.ge is not None else ""
    high = number(info.le) if info.le is not None else ""
    if low and high:
        return f"from {low} to {high}"
    bounds = [
        *([f"at least {low}"] if low else []),
        *([f"above {number(info.gt)}"] if info.gt is not None else []),
        *([f"at most {high}"] if high else []),
        *([f"below {number(info.lt)}"] if info.lt is not None else []),
    ]
    return " and ".join(bounds)
