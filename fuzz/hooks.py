"""What schemathesis cannot know from the description. It loads this by SCHEMATHESIS_HOOKS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import schemathesis

from server.http.deadline import HEADER

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
# Nothing has to be done in less: a 504 is right then, and no finding.
_LEAST_MS = 1000


@schemathesis.hook
def before_load_schema(_context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Candles that make sense, which no schema describes: without them hardly a prediction would be made."""
    good = json.loads((EXAMPLES / "predict.json").read_bytes())
    experiment = {"experiment_id": "odd", "name": "odd", "variant_a": "v3.0", "variant_b": "v3.1", "traffic_split": 0.5}
    for path, body in {
        "/predict": good,
        "/reversal/predict": good,
        "/reversal/predict_raw": good,
        "/reversal/predict/batch": {"items": [good, good]},
        "/reversal/compare": good,
        "/reversal/compare_raw": good,
        "/reversal/experiments": experiment,
        "/reversal/experiments/{id}/evaluate": good,
    }.items():
        raw_schema["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"] = body


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: Any, _kwargs: dict[str, Any]) -> None:  # noqa: ANN401 - a Case of any
    """Leave the server time to answer."""
    given = str(case.headers.get(HEADER, "")) if case.headers else ""
    if given.isdecimal() and 0 < int(given) < _LEAST_MS:
        case.headers[HEADER] = str(_LEAST_MS)
