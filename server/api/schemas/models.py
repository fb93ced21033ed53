"""Versions and the process: the schemas of answers."""

from __future__ import annotations

from core.bundles.manifest import ClassName, Inputs
from server.api.schemas.json_schema import (
    ANYTHING,
    BOOLEAN,
    COUNT,
    INSTANT,
    NUMBER,
    SHARE,
    TEXT,
    Schema,
    by_name,
    list_of,
    one_of,
    or_null,
    record,
    ref,
)

_DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_FILES = by_name(record({"file": TEXT, "sha256": _DIGEST}))
_STAGE = record(
    {
        "positive": or_null({"enum": ["reversal", "long", "short"]}),
        "features": list_of(TEXT),
        "num_features": COUNT,
        "sequence_length": COUNT,
        "parameters": COUNT,
        "files": _FILES,
        "sources": _FILES,
        "parity": ANYTHING,
        "limits": or_null(
            record(
                {
                    "low": list_of(NUMBER),
                    "high": list_of(NUMBER),
                    "mean_low": or_null(list_of(NUMBER)),
                    "mean_high": or_null(list_of(NUMBER)),
                    "source": {"enum": ["training", "scaler"]},
                }
            )
        ),
        "training_ranges": or_null(list_of({**list_of(NUMBER), "minItems": 2, "maxItems": 2})),
        "background": COUNT,
    }
)

ANSWERS: dict[str, Schema] = {
    "Stage": _STAGE,
    "Model": record(
        {
            "version": TEXT,
            "loaded": BOOLEAN,
            "digest": or_null(_DIGEST),
            "replicas": list_of(
                record({"name": TEXT, "digest": or_null(_DIGEST), "loaded": BOOLEAN, "error": or_null(TEXT)})
            ),
        },
        {
            "name": TEXT,
            "description": TEXT,
            "threshold": SHARE,
            "confidence_weights": {**list_of(SHARE), "minItems": 2, "maxItems": 2},
            "has_stage2": BOOLEAN,
            "num_features": COUNT,
            "sequence_length": COUNT,
            "inputs": one_of(Inputs),
            "classes": or_null({**list_of(one_of(ClassName)), "minItems": 3, "maxItems": 3}),
            "required_candles": or_null(COUNT),
            "recommended_candles": or_null(COUNT),
            "requires_timestamps": BOOLEAN,
            "stages": record({"stage1": ref("Stage")}, {"stage2": ref("Stage")}),
            "label_rule": {},
            "metrics": ANYTHING,
            "metadata": ANYTHING,
            "error": TEXT,
        },
    ),
    "Models": record({"active_version": or_null(TEXT), "versions": by_name(ref("Model"))}),
    "Loaded": record({"version": TEXT, "loaded": BOOLEAN}),
    "Switched": record({"active_version": TEXT, "previous_version": or_null(TEXT)}),
    "Health": record(
        {
            "status": {"enum": ["healthy", "unhealthy"]},
            "model_loaded": BOOLEAN,
            "model_version": or_null(TEXT),
            "timestamp": INSTANT,
            "environment": TEXT,
            "version": TEXT,
        }
    ),
    "Probe": record({"status": {"enum": ["alive", "ready", "unavailable"]}}, {"reason": TEXT}),
}
