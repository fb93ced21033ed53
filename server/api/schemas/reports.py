"""The schema of an experiment's report. docs/statistics.md explains each line."""

from __future__ import annotations

from core.experiments.experiment import VARIANTS
from server.api.schemas.experiments import EXPERIMENT, NOTES, TALLY
from server.api.schemas.json_schema import (
    BOOLEAN,
    COUNT,
    INSTANT,
    NUMBER,
    SHARE,
    TEXT,
    Schema,
    by_name,
    list_of,
    or_null,
    record,
    ref,
)
from server.api.schemas.shared import SIGNAL, SIGNAL_COUNTS, SIGNALS, by_variant

# The formats of a report with their content types. The first one is the default.
REPORT_FORMATS = {"json": "application/json", "md": "text/markdown", "html": "text/html"}
# What `include` may ask for.
DISAGREEMENTS = "disagreements"

_ESTIMATE: dict[str, Schema] = {
    "estimate": or_null(NUMBER),
    "interval": or_null({**list_of(NUMBER), "minItems": 2, "maxItems": 2}),
    "candles": COUNT,
    "valid": BOOLEAN,
}
_SOURCE: dict[str, Schema] = {"source": or_null({"enum": ["reported", "labels"]})}
_NOT_DECIDING: Schema = {"description": "Not used for the verdict."}
_DIFFERENCE = _ESTIMATE | {"p_value": or_null(NUMBER)}
_IMPORTED = record({"count": COUNT, "signals": by_name(COUNT), "avg_confidence": or_null(SHARE)})
_REPORTED_VARIANT = record(
    {
        "model_version": TEXT,
        "predictions": COUNT,
        "unique_users": COUNT,
        "unique_candles": COUNT,
        "signals": SIGNAL_COUNTS,
        "hold_rate": ref("Estimate"),
        "confidence": record(_ESTIMATE | {"sd": or_null(NUMBER)}),
        "outcomes_joined": COUNT,
        "labelled_candles": COUNT,
        "win_rate": ref("SourcedEstimate"),
        "precision": ref("Estimate"),
        "recall": ref("Estimate"),
        "mean_pnl": ref("SourcedEstimate"),
        "pnl_per_candle": ref("SourcedEstimate"),
        "sharpe": ref("Estimate") | _NOT_DECIDING,
        **TALLY,
        "warnings": by_name(record({"predictions": COUNT, "share": or_null(SHARE)})),
        "imported": or_null(_IMPORTED),
    }
)
_SAMPLE_RATIO = record(
    {
        "users": by_variant(COUNT),
        "expected": by_variant(NUMBER),
        "users_in_both": COUNT,
        "chi_square": or_null(NUMBER) | _NOT_DECIDING,
        "chi_square_p": or_null(NUMBER) | _NOT_DECIDING,
        "sequential_p": NUMBER,
        "level": NUMBER,
        "mismatch": BOOLEAN,
    }
)
_REPORTING = record(
    {
        "A": ref("Estimate"),
        "B": ref("Estimate"),
        "p_value": NUMBER,
        "level": NUMBER,
        "valid": BOOLEAN,
        "differs": BOOLEAN,
    }
)
_PAIRS = record(
    {
        "candles": COUNT,
        "table": record(dict.fromkeys(SIGNALS, SIGNAL_COUNTS)),
        "agreement": ref("Estimate"),
        "confidence_difference": ref("Difference"),
        "mcnemar": record(
            {
                "candles": COUNT,
                "a_only_right": COUNT,
                "b_only_right": COUNT,
                "exact_p": NUMBER,
                "sequential_p": NUMBER,
            }
        )
        | _NOT_DECIDING,
    },
    {
        DISAGREEMENTS: list_of(
            record(
                {
                    "pair": TEXT,
                    "timeframe": TEXT,
                    "candle": TEXT,
                    "candle_time": or_null(INSTANT),
                    "a_signal": SIGNAL,
                    "b_signal": SIGNAL,
                }
            )
        )
        | {"description": "Only with include=disagreements."},
    },
)
_BREAKDOWN = record(
    {
        "exploratory": {"const": True},
        "metric": ref("Metric"),
        "total": COUNT,
        "places": list_of(
            record(
                {
                    "pair": TEXT,
                    "timeframe": TEXT,
                    "candles": COUNT,
                    **dict.fromkeys(VARIANTS, ref("Estimate")),
                    "difference": ref("Difference"),
                }
            )
        ),
    }
)
_HISTORY = list_of(record({"at": INSTANT, **_ESTIMATE, "word": TEXT}))

ANSWERS: dict[str, Schema] = {
    "Estimate": record(_ESTIMATE),
    "SourcedEstimate": record(_ESTIMATE | _SOURCE),
    "Difference": record(_DIFFERENCE),
    "SourcedDifference": record(_DIFFERENCE | _SOURCE),
    "ReportedVariant": _REPORTED_VARIANT,
    "SampleRatio": _SAMPLE_RATIO,
    "Reporting": _REPORTING,
    "Pairs": _PAIRS,
    "Breakdown": _BREAKDOWN,
    "History": _HISTORY,
    "Report": record(
        EXPERIMENT
        | {
            "variants": by_variant(ref("ReportedVariant")),
            "beside": ref("Beside"),
            "breakdown": ref("Breakdown"),
            "history": ref("History"),
            "sample_ratio": or_null(ref("SampleRatio")),
            "reporting": or_null(ref("Reporting")),
            "pairs": or_null(ref("Pairs")),
            "differences": record(
                {
                    "win_rate": ref("SourcedDifference"),
                    "mean_pnl": ref("SourcedDifference"),
                    "pnl_per_candle": ref("SourcedDifference"),
                    "hold_rate": ref("Difference"),
                    "confidence": ref("Difference"),
                }
            ),
            "verdict": record(
                {"word": TEXT, "sentence": TEXT, "more_candles": or_null(NUMBER), "days_left": or_null(NUMBER)}
            ),
            "notes": NOTES,
        }
    ),
}
