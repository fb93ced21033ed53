"""The schemas of answers. Clients should not mind more fields than these; that there are none today a test sees to."""

from __future__ import annotations

from typing import get_args

from core.experiments import VARIANTS, Metric, Mode, Status
from core.store.interface import OutcomeAnswer
from server.errors import STATUS
from server.openapi.requests import Schema, ref
from server.schemas import Timeframe


def record(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these properties."""
    return {"type": "object", "properties": required | (optional or {}), "required": list(required)}


def envelope(data: Schema) -> Schema:
    """A success."""
    return record({"success": {"const": True}, "data": data, "error": NULL, "timestamp": INSTANT})


def failure(codes: list[str]) -> Schema:
    """A failure with one of these codes."""
    return {"allOf": [ref("Failure"), {"properties": {"code": {"enum": codes}}}]}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, NULL]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _by_name(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _by_variant(values: Schema) -> Schema:
    return record(dict.fromkeys(VARIANTS, values))


def _one_of(literal: object) -> Schema:
    return {"enum": list(get_args(literal))}


TEXT: Schema = {"type": "string"}
NULL: Schema = {"type": "null"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
_BOOLEAN: Schema = {"type": "boolean"}
_NUMBER: Schema = {"type": "number"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_SIGNALS = ["hold", "long", "short"]
_SIGNAL: Schema = {"enum": _SIGNALS}
_ANYTHING: Schema = {"type": "object", "additionalProperties": True}

_WARNINGS = _list(record({"code": TEXT, "message": TEXT}))
_DETAILS = _list(record({"path": TEXT, "message": TEXT}))
_PROVENANCE = {
    "served_by": TEXT,
    "fallback_reason": TEXT,
    "experiment": record({"experiment_id": TEXT, "variant": {"enum": list(VARIANTS)}}),
    "prediction_id": TEXT,
}
_ERROR: dict[str, Schema] = {"error": TEXT, "code": {"enum": sorted(STATUS)}}
_FILES = _by_name(record({"file": TEXT, "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}}))
_STAGE = record(
    {
        "positive": {"enum": ["reversal", "long", "short"]},
        "features": _list(TEXT),
        "num_features": _COUNT,
        "sequence_length": _COUNT,
        "parameters": _COUNT,
        "files": _FILES,
        "sources": _FILES,
        "parity": _ANYTHING,
    }
)
_EXPERIMENT: dict[str, Schema] = {
    "experiment_id": TEXT,
    "name": TEXT,
    "description": TEXT,
    "mode": _one_of(Mode),
    "variant_a": TEXT,
    "variant_b": TEXT,
    "traffic_split": _SHARE,
    "metric": _one_of(Metric),
    "minimum_effect": _NUMBER,
    "guardrails": ref("Limits"),
    "status": _one_of(Status),
    "active": _BOOLEAN,
    "created_at": INSTANT,
    "activated_at": _or_null(INSTANT),
    "stopped_at": _or_null(INSTANT),
    "stop_reason": _or_null(TEXT),
}
_COUNTED = record(dict.fromkeys(_SIGNALS, _COUNT))
_TALLY: dict[str, Schema] = {"fallbacks": _COUNT, "failures": _COUNT, "unrecorded": _COUNT}

# Of the report. docs/statistics.md tells what each line means.
_ESTIMATE: dict[str, Schema] = {
    "estimate": _or_null(_NUMBER),
    "interval": _or_null({**_list(_NUMBER), "minItems": 2, "maxItems": 2}),
    "candles": _COUNT,
}
_SOURCE: dict[str, Schema] = {"source": _or_null({"enum": ["reported", "labels"]})}
_DIFFERENCE = _ESTIMATE | {"p_value": _or_null(_NUMBER)}
_IMPORTED = record({"count": _COUNT, "signals": _by_name(_COUNT), "avg_confidence": _or_null(_SHARE)})
_REPORTED_VARIANT = record(
    {
        "model_version": TEXT,
        "predictions": _COUNT,
        "unique_users": _COUNT,
        "unique_candles": _COUNT,
        "signals": _COUNTED,
        "hold_rate": record(_ESTIMATE),
        "confidence": record(_ESTIMATE | {"sd": _or_null(_NUMBER)}),
        "outcomes_joined": _COUNT,
        "labelled_candles": _COUNT,
        "win_rate": record(_ESTIMATE | _SOURCE),
        "precision": record(_ESTIMATE),
        "recall": record(_ESTIMATE),
        "mean_pnl": record(_ESTIMATE | _SOURCE),
        "sharpe": record(_ESTIMATE),
        **_TALLY,
        "imported": _or_null(
            record({"count": _COUNT, "signals": _by_name(_COUNT), "avg_confidence": _or_null(_SHARE)})
        ),
    }
)
_SAMPLE_RATIO = record(
    {
        "users": _by_variant(_COUNT),
        "expected": _by_variant(_NUMBER),
        "users_in_both": _COUNT,
        "chi_square": _or_null(_NUMBER),
        "chi_square_p": _or_null(_NUMBER),
        "sequential_p": _NUMBER,
        "level": _NUMBER,
        "mismatch": _BOOLEAN,
    }
)
_PAIRS = record(
    {
        "candles": _COUNT,
        "table": record(dict.fromkeys(_SIGNALS, _COUNTED)),
        "agreement": record(_ESTIMATE),
        "confidence_difference": record(_DIFFERENCE),
        "mcnemar": record(
            {
                "candles": _COUNT,
                "a_only_right": _COUNT,
                "b_only_right": _COUNT,
                "exact_p": _NUMBER,
                "sequential_p": _NUMBER,
            }
        ),
        "disagreements": _list(
            record(
                {
                    "pair": TEXT,
                    "timeframe": TEXT,
                    "candle": TEXT,
                    "candle_time": _or_null(INSTANT),
                    "a_signal": _SIGNAL,
                    "b_signal": _SIGNAL,
                }
            )
        ),
    }
)

ANSWERS: dict[str, Schema] = {
    "Failure": record(
        {"success": {"const": False}, "data": NULL, **_ERROR, "timestamp": INSTANT}, {"details": _DETAILS}
    ),
    "Prediction": record(
        {
            "pair": TEXT,
            "timeframe": _one_of(Timeframe),
            "signal": _SIGNAL,
            "confidence": _SHARE,
            "stage1_prob": _SHARE,
            "stage2_prob": _or_null(_SHARE),
            "model_version": TEXT,
            "factors": record({"reversal_detected": _BOOLEAN, "direction": {"enum": ["long", "short", None]}}),
            "timestamp": INSTANT,
        },
        {"warnings": _WARNINGS, **_PROVENANCE},
    ),
    "LegacyPrediction": record(
        {
            "prediction": _SIGNAL,
            "confidence": _SHARE,
            "factors": record({"technical": _SHARE, "sentiment": _SHARE, "pattern": _SHARE}),
            "model_version": TEXT,
            "timestamp": INSTANT,
        },
        _PROVENANCE,
    ),
    "BatchResults": record(
        {
            "results": _list(
                {
                    "oneOf": [
                        record({"success": {"const": True}, "data": ref("Prediction"), "error": NULL}),
                        record({"success": {"const": False}, "data": NULL, **_ERROR}, {"details": _DETAILS}),
                    ]
                }
            )
        }
    ),
    "Comparison": record(
        {
            "pair": TEXT,
            "timeframe": _one_of(Timeframe),
            "predictions": _by_name({"oneOf": [ref("Prediction"), record(_ERROR)]}),
            "consensus": _or_null(_SIGNAL),
            "disagreement": _BOOLEAN,
            "timestamp": INSTANT,
        }
    ),
    "Model": record(
        {"version": TEXT, "loaded": _BOOLEAN},
        {
            "name": TEXT,
            "description": TEXT,
            "threshold": _SHARE,
            "confidence_weights": {**_list(_SHARE), "minItems": 2, "maxItems": 2},
            "has_stage2": _BOOLEAN,
            "num_features": _COUNT,
            "sequence_length": _COUNT,
            "required_candles": _COUNT,
            "recommended_candles": _COUNT,
            "stages": record({"stage1": _STAGE}, {"stage2": _STAGE}),
            "metrics": _ANYTHING,
            "metadata": _ANYTHING,
            "error": TEXT,
        },
    ),
    "Models": record({"active_version": _or_null(TEXT), "versions": _by_name(ref("Model"))}),
    "Loaded": record({"version": TEXT, "loaded": _BOOLEAN}),
    "Switched": record({"active_version": TEXT, "previous_version": _or_null(TEXT)}),
    "Experiment": record(_EXPERIMENT),
    "ActivatedExperiment": record(_EXPERIMENT | {"stopped_experiment": _or_null(TEXT)}),
    "Experiments": record({"experiments": _list(ref("Experiment"))}),
    "ExperimentMetrics": record(
        {
            "experiment_id": TEXT,
            "name": TEXT,
            "active": _BOOLEAN,
            "mode": _one_of(Mode),
            "status": _one_of(Status),
            "variants": _by_variant(
                record(
                    {
                        "model_version": TEXT,
                        "traffic_split": _SHARE,
                        "metrics": record(
                            {
                                "count": _COUNT,
                                "signals": _COUNTED,
                                "avg_confidence": _or_null(_SHARE),
                                "imported": _COUNT,
                                "users": _COUNT,
                                **_TALLY,
                            }
                        ),
                    }
                )
            ),
        }
    ),
    "Report": record(
        _EXPERIMENT
        | {
            "variants": _by_variant(_REPORTED_VARIANT),
            "sample_ratio": _or_null(_SAMPLE_RATIO),
            "pairs": _or_null(_PAIRS),
            "differences": record(
                {
                    "win_rate": record(_DIFFERENCE | _SOURCE),
                    "mean_pnl": record(_DIFFERENCE | _SOURCE),
                    "hold_rate": record(_DIFFERENCE),
                    "confidence": record(_DIFFERENCE),
                }
            ),
            "verdict": record({"word": TEXT, "sentence": TEXT}),
        }
    ),
    "Evaluation": record(
        {"candles": _COUNT, "labelled": _COUNT, "changed": _COUNT, "unchanged": _COUNT, "too_close": _COUNT},
        {"warnings": _WARNINGS},
    ),
    "OutcomeResults": record(
        {
            "recorded": _COUNT,
            "results": _list(
                {
                    "oneOf": [
                        record({"prediction_id": TEXT, "status": _one_of(OutcomeAnswer)}),
                        record(
                            {"prediction_id": _or_null(TEXT), "status": {"const": "invalid"}, "error": TEXT},
                            {"details": _DETAILS},
                        ),
                    ]
                }
            ),
        }
    ),
    "Health": record(
        {
            "status": {"enum": ["healthy", "unhealthy"]},
            "model_loaded": _BOOLEAN,
            "model_version": _or_null(TEXT),
            "timestamp": INSTANT,
            "environment": TEXT,
        }
    ),
    "Probe": record({"status": {"enum": ["alive", "ready", "unavailable"]}}, {"reason": TEXT}),
}
