"""All schemas by name: those of requests come from the decoders' types, those of answers from server/api/schemas."""

from __future__ import annotations

from typing import Any

import msgspec

from server.api import endpoints
from server.api.openapi.meanings import MEANINGS
from server.api.schemas import WITH_ANSWERS
from server.api.schemas.experiments import ReportedOutcome
from server.api.schemas.json_schema import Schema, ref
from server.api.schemas.open_inference import DATA
from server.api.schemas.predictions import CANDLE_ROWS, ColumnNames, StageFeatures

# The types of parts of bodies that are decoded later than the body.
_PARTS = (ReportedOutcome, StageFeatures)


def schemas() -> dict[str, Schema]:
    """The schemas of all bodies, with all that they refer to. Raises ValueError if two have the same name."""
    found = _requests()
    for module in WITH_ANSWERS:
        if twice := found.keys() & module.ANSWERS.keys():
            raise ValueError(f"two schemas have the same name: {', '.join(sorted(twice))}")
        found |= module.ANSWERS
    return found


def _requests() -> dict[str, Schema]:
    bodies = dict.fromkeys(each.request for each in endpoints.ENDPOINTS if each.request is not None)
    _, found = msgspec.json.schema_components((*bodies, *_PARTS), ref_template="#/components/schemas/{name}")
    _say_what_is_raw(found)
    for name, meanings in MEANINGS.items():
        for field, meaning in meanings.items():
            found[name]["properties"][field]["description"] = meaning
    return {name: _translated(schema) for name, schema in found.items()}


def _say_what_is_raw(found: dict[str, Schema]) -> None:
    """Describe the parts that are decoded later. To the first decoder they are any JSON."""
    found["BatchRequest"]["properties"]["items"]["items"] = ref("PredictRequest")
    found["ReportOutcomes"]["properties"]["outcomes"]["items"] = ref("ReportedOutcome")
    found["InferInput"]["properties"]["data"] = DATA
    names = msgspec.json.schema(ColumnNames)
    for name in ("PredictRequest", "ExplainRequest", "CompareRequest", "Evaluate"):
        properties = found[name]["properties"]
        properties["columns"] |= names
        # An empty array is one of objects, so that it is of one form only.
        properties["data"]["oneOf"] = [*properties["data"].pop("anyOf"), CANDLE_ROWS]
    matrix, by_version, null = found["CompareRequest"]["properties"]["features"]["anyOf"]
    by_version["additionalProperties"] = {"anyOf": [matrix, ref("StageFeatures")]}
    found["CompareRequest"]["properties"]["features"]["anyOf"] = [matrix, ref("StageFeatures"), by_version, null]


def _translated(schema: Any) -> Any:  # noqa: ANN401 - JSON
    r"""The schema with the patterns of JSON Schema: `^` and `$` there are `\A` and `\Z` in Python."""
    if isinstance(schema, list):
        return [_translated(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _translated(value) for key, value in schema.items()}
    if isinstance(pattern := found.get("pattern"), str):
        found["pattern"] = pattern.replace(r"\A", "^").replace(r"\Z", "$")
    if isinstance(description := found.get("description"), str):
        found["description"] = description.split("\n", 1)[0]  # the rest is for readers of the code
    # Some generators of clients require a field in requests if it has a default. The descriptions name the defaults.
    found.pop("default", None)
    return found
