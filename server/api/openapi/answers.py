"""The schemas of answers. Clients should not mind more fields than these; that there are none today a test sees to."""

from __future__ import annotations

from typing import get_args

from core.experiments.experiment import VARIANTS, Metric, Mode, Status, Variant
from core.features.timeframes import Timeframe
from core.inference.warnings import CODES
from core.store.interface import OutcomeAnswer
from server.api.openapi.requests import Schema, ref
from server.http.errors import STATUS


def record(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these properties."""
    return {"type": "object", "properties": required | (optional or {}), "required": list(required)}


def envelope(data: Schema) -> Schema:
    """A success."""
    return record({"success": {"const": True}, "data": data, "error": NULL, "timestamp": INSTANT})


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
_SIGNAL = ref("Signal")
_ANYTHING: Schema = {"type": "object", "additionalProperties": True}

_WARNINGS, _DETAILS = _list(ref("Warning")), _list(ref("Detail"))
_CIRCUMSTANCES = {"candle_time": INSTANT, "valid_until": _or_null(INSTANT), "warnings": _WARNINGS}
_PROVENANCE = {
    "served_by": TEXT,
    "fallback_reason": TEXT,
    "experiment": ref("Assignment"),
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
        "limits": _or_null(
            record(
                {
                    "low": _list(_NUMBER),
                    "high": _list(_NUMBER),
                    "mean_low": _or_null(_list(_NUMBER)),
                    "mean_high": _or_null(_list(_NUMBER)),
                    "source": {"enum": ["training", "scaler"]},
                }
            )
        ),
    }
)
_EXPERIMENT: dict[str, Schema] = {
    "experiment_id": TEXT,
    "name": TEXT,
    "description": TEXT,
    "mode": ref("Mode"),
    "variant_a": TEXT,
    "variant_b": TEXT,
    "traffic_split": _SHARE,
    "metric": ref("Metric"),
    "minimum_effect": _NUMBER,
    "guardrails": ref("GuardrailLimits"),
    "status": ref("Status"),
    "active": _BOOLEAN,
    "created_at": INSTANT,
    "activated_at": _or_null(INSTANT),
    "stopped_at": _or_null(INSTANT),
    "stop_reason": _or_null(TEXT),
}
_COUNTED = ref("SignalCounts")
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
        "hold_rate": ref("Estimate"),
        "confidence": record(_ESTIMATE | {"sd": _or_null(_NUMBER)}),
        "outcomes_joined": _COUNT,
        "labelled_candles": _COUNT,
        "win_rate": ref("SourcedEstimate"),
        "precision": ref("Estimate"),
        "recall": ref("Estimate"),
        "mean_pnl": ref("SourcedEstimate"),
        "sharpe": ref("Estimate"),
        **_TALLY,
        "warnings": _by_name(record({"predictions": _COUNT, "share": _or_null(_SHARE)})),
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
        "agreement": ref("Estimate"),
        "confidence_difference": ref("Difference"),
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
    "Signal": {"enum": _SIGNALS},
    "SignalCounts": record(dict.fromkeys(_SIGNALS, _COUNT)),
    "Timeframe": _one_of(Timeframe),
    "Mode": _one_of(Mode),
    "Metric": _one_of(Metric),
    "Status": _one_of(Status),
    "Assignment": record({"experiment_id": TEXT, "variant": _one_of(Variant)}),
    "Warning": record({"code": {"enum": [*CODES, "NO_PREDICTIONS"]}, "message": TEXT}),
    "Detail": record({"path": TEXT, "message": TEXT}),
    "Stage": _STAGE,
    "Estimate": record(_ESTIMATE),
    "SourcedEstimate": record(_ESTIMATE | _SOURCE),
    "Difference": record(_DIFFERENCE),
    "SourcedDifference": record(_DIFFERENCE | _SOURCE),
    "ReportedVariant": _REPORTED_VARIANT,
    "SampleRatio": _SAMPLE_RATIO,
    "Pairs": _PAIRS,
    "Failure": record(
        {"success": {"const": False}, "data": NULL, **_ERROR, "timestamp": INSTANT}, {"details": _DETAILS}
    ),
    "Prediction": record(
        {
            "pair": TEXT,
            "timeframe": ref("Timeframe"),
            "signal": _SIGNAL,
            "confidence": _SHARE,
            "stage1_prob": _SHARE,
            "stage2_prob": _or_null(_SHARE),
            "model_version": TEXT,
            "factors": record(
                {
                    "reversal_detected": _BOOLEAN,
                    "direction": {"enum": ["long", "short", None]},
                    "technical": _SHARE,
                    "pattern": _or_null(_SHARE),
                }
            ),
            "timestamp": INSTANT,
        },
        {**_CIRCUMSTANCES, **_PROVENANCE},
    ),
    "LegacyPrediction": record(
        {
            "prediction": _SIGNAL,
            "signal": _SIGNAL,
            "confidence": _SHARE,
            "factors": record({"technical": _SHARE, "sentiment": _SHARE, "pattern": _SHARE}),
            "model_version": TEXT,
            "timestamp": INSTANT,
        },
        {**_CIRCUMSTANCES, **_PROVENANCE},
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
            "timeframe": ref("Timeframe"),
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
            "stages": record({"stage1": ref("Stage")}, {"stage2": ref("Stage")}),
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
            "mode": ref("Mode"),
            "status": ref("Status"),
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
            "variants": _by_variant(ref("ReportedVariant")),
            "sample_ratio": _or_null(ref("SampleRatio")),
            "pairs": _or_null(ref("Pairs")),
            "differences": record(
                {
                    "win_rate": ref("SourcedDifference"),
                    "mean_pnl": ref("SourcedDifference"),
                    "hold_rate": ref("Difference"),
                    "confidence": ref("Difference"),
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
            "version": TEXT,
        }
    ),
    "Probe": record({"status": {"enum": ["alive", "ready", "unavailable"]}}, {"reason": TEXT}),
}
