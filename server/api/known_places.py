"""The part of a path in a body that has only known names. The log may show no names that a client made up."""

from __future__ import annotations

import re
from typing import Any, get_args

from server.api.endpoints import ENDPOINTS
from server.api.schemas import experiments, open_inference
from server.api.schemas.predictions import Candle, StageFeatures
from server.http.deadline import HEADER
from server.http.headers import JSON_LENGTH

# The items of lists are decoded later than the body that has them.
_BODIES: tuple[Any, ...] = (
    *(each.request for each in ENDPOINTS if each.request is not None),
    experiments.ReportedOutcome,
)
_QUERY = (name for each in ENDPOINTS for name in each.query)
_TENSORS = get_args(open_inference.InputName)
# A path may also have names that a client made up: versions and unknown fields.
_FIELDS = frozenset(
    (*(name for body in _BODIES for name in body.__struct_fields__), *_QUERY, *_TENSORS, HEADER, JSON_LENGTH)
)
_WITHIN: dict[str, frozenset[str]] = {
    **{name: frozenset(open_inference.InferInput.__struct_fields__) for name in _TENSORS},
    "data": frozenset(Candle.__struct_fields__),
    "features": frozenset((*StageFeatures.__struct_fields__, "shape", "datatype", "parameters")),
    "inputs": frozenset(open_inference.InferInput.__struct_fields__),
    "outputs": frozenset(open_inference.InferOutput.__struct_fields__),
    "parameters": frozenset(
        (*open_inference.InferParameters.__struct_fields__, *open_inference.RepositoryParameters.__struct_fields__)
    ),
    "guardrails": frozenset(experiments.GuardrailLimits.__struct_fields__),
}
# An index has up to five digits; matrices have a second one.
_PLACE = re.compile(
    r"(?P<field>[A-Za-z0-9_-]+)?(?P<index>(?:\[\d{1,5}\])*)(?:\.(?P<inner>\w+)(?P<inner_index>(?:\[\d{1,5}\])*))?",
    re.ASCII,
)


def known_part(place: str) -> str:
    """The path up to the first unknown name."""
    found = _PLACE.match(place)
    field = found["field"] if found is not None else None
    if found is None or (field is not None and field not in _FIELDS):
        return "…" if place else ""
    known = (field or "") + found["index"]
    if found["inner"] is not None and found["inner"] in _WITHIN.get(field or "", ()):
        known = found[0]
    return known if known == place else f"{known}…"
