"""Small builders of JSON Schema for the schemas of answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias, get_args

Schema: TypeAlias = dict[str, Any]


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these properties."""
    return {"type": "object", "properties": required | (optional or {}), "required": list(required)}


def or_null(schema: Schema) -> Schema:
    """A value of this schema, or null."""
    return {"anyOf": [schema, NULL]}


def list_of(items: Schema) -> Schema:
    """An array of items of this schema."""
    return {"type": "array", "items": items}


def by_name(values: Schema) -> Schema:
    """An object with any keys, and values of this schema."""
    return {"type": "object", "additionalProperties": values}


def one_of(literal: object) -> Schema:
    """Any of the values of a `Literal`."""
    return {"enum": list(get_args(literal))}


def one_of_names(names: Iterable[str]) -> Schema:
    """Any of these names; the first one is the default."""
    listed = list(names)
    return {"enum": listed, "default": listed[0]}


TEXT: Schema = {"type": "string"}
NULL: Schema = {"type": "null"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
BOOLEAN: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
ANYTHING: Schema = {"type": "object", "additionalProperties": True}
