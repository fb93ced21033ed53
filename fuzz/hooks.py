"""Hooks for schemathesis, with facts that the API description does not have. SCHEMATHESIS_HOOKS names this file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import schemathesis

from core.bundles.windows import MOST as BACKGROUND
from server.http.deadline import HEADER
from server.http.headers import JSON_LENGTH

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
# With a shorter timeout, a 504 is a right answer, not a finding.
_LEAST_MS = 1000
# Explanations take longer, and in proportion to the windows that they compare with.
_EXPLAIN, _LEAST_MS_TO_EXPLAIN, _MOST_WINDOWS = "/reversal/explain", 10_000, 5


@schemathesis.hook
def before_load_schema(_context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Add valid candles, which no schema describes. Without them hardly any request would reach a prediction."""
    good = json.loads((EXAMPLES / "predict.json").read_bytes())
    tensors = json.loads((EXAMPLES / "infer.json").read_bytes())
    experiment = {"experiment_id": "odd", "name": "odd", "variant_a": "v3.0", "variant_b": "v3.1", "traffic_split": 0.5}
    for path, body in {
        "/predict": good,
        "/reversal/predict": good,
        "/reversal/predict_raw": good,
        "/reversal/predict/batch": {"items": [good, good]},
        "/reversal/explain": good,
        "/reversal/compare": good,
        "/reversal/compare_raw": good,
        "/reversal/experiments": experiment,
        "/v2/models/{model}/infer": tensors,
        "/v2/models/{model}/versions/{version}/infer": tensors,
        "/reversal/experiments/{id}/evaluate": json.loads((EXAMPLES / "evaluate.json").read_bytes()),
    }.items():
        raw_schema["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"] = body
    # Its answer ends only when the client leaves. tests/server/keeper/dashboard/ reads it.
    del raw_schema["paths"]["/dashboard/stream"]


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: Any, _kwargs: dict[str, Any]) -> None:  # noqa: ANN401 - a Case of any
    """Raise a short timeout, so that the server has time to answer. JSON needs no header of binary data."""
    given = str(case.headers.get(HEADER, "")) if case.headers else ""
    least = _LEAST_MS
    if case.path == _EXPLAIN:
        least = _LEAST_MS_TO_EXPLAIN
        for place in (case.query, case.body):
            _limit_windows(place)
    if given.isdecimal() and 0 < int(given) < least:
        case.headers[HEADER] = str(least)
    if case.media_type == "application/json" and str((case.headers or {}).get(JSON_LENGTH, "")).isdecimal():
        del case.headers[JSON_LENGTH]
    parameters: Any = case.body.get("parameters") if isinstance(case.body, dict) else None
    timeout = parameters.get("timeout") if isinstance(parameters, dict) else None
    if isinstance(timeout, int) and 0 < timeout < _LEAST_MS * 1000:  # microseconds
        parameters["timeout"] = _LEAST_MS * 1000


def _limit_windows(place: Any) -> None:  # noqa: ANN401 - the query or the body of a Case
    """Lower a valid number of windows, so that it is explained in time. An invalid one stays, to be refused."""
    found = place.get("background") if isinstance(place, dict) else None
    valid = str(found).isdecimal() and not isinstance(found, str | bool | float)
    if valid and _MOST_WINDOWS < int(str(found)) <= BACKGROUND:
        place["background"] = _MOST_WINDOWS
