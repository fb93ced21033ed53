"""All schemas by name: of requests as the decoders check them, of answers as they are written down."""

from __future__ import annotations

from typing import Any

import msgspec

from server.api import endpoints
from server.api.schemas import WITH_ANSWERS
from server.api.schemas.experiments import ReportedOutcome
from server.api.schemas.json_schema import Schema, ref
from server.api.schemas.predictions import StageFeatures

# What is found in bodies only when its turn comes.
_PARTS = (ReportedOutcome, StageFeatures)


def schemas() -> dict[str, Schema]:
    """The schemas of all bodies, with everything they refer to. Raises ValueError where two have one name."""
    found = _requests()
    for module in WITH_ANSWERS:
        if twice := found.keys() & module.ANSWERS.keys():
            raise ValueError(f"there are two schemas of the name {', '.join(sorted(twice))}")
        found |= module.ANSWERS
    return found


def _requests() -> dict[str, Schema]:
    bodies = dict.fromkeys(each.request for each in endpoints.ENDPOINTS if each.request is not None)
    _, found = msgspec.json.schema_components((*bodies, *_PARTS), ref_template="#/components/schemas/{name}")
    _say_what_is_raw(found)
    return {name: _translated(schema) for name, schema in found.items()}


def _say_what_is_raw(found: dict[str, Schema]) -> None:
    """What is decoded later is anything to the first decoder."""
    found["BatchRequest"]["properties"]["items"]["items"] = ref("PredictRequest")
    found["ReportOutcomes"]["properties"]["outcomes"]["items"] = ref("ReportedOutcome")
    matrix, by_version, null = found["CompareRequest"]["properties"]["features"]["anyOf"]
    by_version["additionalProperties"] = {"anyOf": [matrix, ref("StageFeatures")]}
    found["CompareRequest"]["properties"]["features"]["anyOf"] = [matrix, ref("StageFeatures"), by_version, null]


def _translated(schema: Any) -> Any:  # noqa: ANN401 - JSON
    r"""In the words of JSON Schema, where patterns end in `^` and `$`, which there means what Python calls `\Z`."""
    if isinstance(schema, list):
        return [_translated(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _translated(value) for key, value in schema.items()}
    if isinstance(pattern := found.get("pattern"), str):
        found["pattern"] = pattern.replace(r"\A", "^").replace(r"\Z", "$")
    if isinstance(description := found.get("description"), str):
        found["description"] = description.split("\n", 1)[0]  # the rest is for who reads the code
    # Some generators of clients take what has a default for always there, and then ask for it in requests as well.
    # The descriptions name the defaults.
    found.pop("default", None)
    return found
