"""The schemas of request bodies: what the decoders check, as JSON Schema."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from server.api.experiment_schemas import CreateExperiment, Evaluate, ReportedOutcome, ReportOutcomes
from server.api.prediction_schemas import BatchRequest, CompareRequest, PredictRequest, StageFeatures

Schema: TypeAlias = dict[str, Any]

# The bodies, and what is found in them only when its turn comes.
_BODIES = (PredictRequest, CompareRequest, BatchRequest, CreateExperiment, ReportOutcomes, Evaluate)
_PARTS = (ReportedOutcome, StageFeatures)


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def requests() -> dict[str, Schema]:
    """The schemas by name, with everything they refer to."""
    _, found = msgspec.json.schema_components((*_BODIES, *_PARTS), ref_template="#/components/schemas/{name}")
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
