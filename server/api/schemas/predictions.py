"""Predictions: the types of requests, then the schemas of answers.

Unknown fields of a request are ignored; numbers as strings are refused.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from core.bundles import windows
from core.features.candles import MAX_CANDLES
from core.features.timeframes import Timeframe
from core.inference.explaining import Method
from server.api.schemas.json_schema import (
    BOOLEAN,
    INSTANT,
    NULL,
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
from server.api.schemas.shared import DETAILS, ERROR, SIGNAL, WARNINGS
from server.http.bodies import sizes

DEFAULT_TIMEFRAME: Timeframe = "1h"
MAX_BATCH = 1_024
MAX_USER_ID = 256

Pair: TypeAlias = Annotated[
    str, Meta(pattern=r"\A[A-Z]{3}/[A-Z]{3}\Z", description="Two currencies of three capital letters.")
]
# The instant of a candle that its timestamp gives.
Stamp: TypeAlias = Literal["open", "close"]
# The limits of the contract. Within them no feature of candles overflows a float64.
LEAST_PRICE, MOST_PRICE, MOST_VOLUME = 1e-12, 1e12, 1e18
Price: TypeAlias = Annotated[float, Meta(ge=LEAST_PRICE, le=MOST_PRICE)]
Volume: TypeAlias = Annotated[float, Meta(ge=0, le=MOST_VOLUME, description="Default: 0.")]
# An integer means its decimal form.
UserId: TypeAlias = Annotated[str, Meta(max_length=MAX_USER_ID)] | int | None
Matrix: TypeAlias = list[list[float]]
# As long as a version in a manifest may be. The limit also bounds the name in an error.
Version: TypeAlias = Annotated[str, Meta(max_length=64)]
# The longest form of ISO 8601 has 35 characters. Texts that were read are cached (see timestamps), so none may be long.
IsoText: TypeAlias = Annotated[str, Meta(max_length=40)]

# The meaning of the fields, for /openapi.json.
_TIMESTAMP = (
    "ISO 8601 (read as UTC if it names no zone), or a number: seconds since 1970, or milliseconds if it is at least"
    " 100,000,000,000. Either all candles have one or none has. They may be unsorted, but no instant may occur twice."
)
_DATA = (
    "Candles, oldest first unless they have timestamps: objects, columns, or rows whose order `columns` states. The"
    " signal is for the last one. Required unless there are features."
)
_COLUMNS = (
    "The names of the values in each row, if `data` has rows: open, high, low and close, and possibly volume and"
    " timestamp, in any order. Values under other names are ignored."
)
_FEATURES = (
    "Instead of candles: a window [sequence_length][num_features], its rows oldest first; or a window for each stage,"
    " which a version needs if its stages differ."
)
_STAMP = "Whether a candle's timestamp is the opening or the closing time of its period. Default: open."
_SCALED = "False: the features are raw indicator values, and the scaler runs. Default: true."
_CANDLE_TIME = (
    "Only with features: when the last candle of the window opened, in the forms of a timestamp. Experiments compare"
    " only predictions whose candle's time is known."
)
_BACKGROUND = (
    "The number of windows that the answer is compared with: 1 is the reference window of the version, more are so many"
    " of its stored windows, and take as many times longer. Default: 1."
)
_VERSION = "Default: the user's variant if an experiment is active, else the active version."


class Candle(msgspec.Struct, gc=False):
    """One bar: low <= open, close <= high."""

    open: Price
    high: Price
    low: Price
    close: Price
    volume: Volume = 0.0
    timestamp: Annotated[IsoText | int | float | None, Meta(description=_TIMESTAMP)] = None


_UP_TO_MOST = Meta(max_length=MAX_CANDLES)
Prices: TypeAlias = Annotated[list[Price], _UP_TO_MOST]
Timestamps: TypeAlias = Annotated[list[IsoText | int | float | None], _UP_TO_MOST]


class CandleColumns(msgspec.Struct):
    """Candles as columns, all of one length."""

    open: Prices
    high: Prices
    low: Prices
    close: Prices
    volume: Annotated[list[Volume], _UP_TO_MOST] | UnsetType = UNSET
    timestamp: (
        Annotated[list[IsoText | int | float | None], Meta(max_length=MAX_CANDLES, description=_TIMESTAMP)] | None
    ) = None


class StageFeatures(msgspec.Struct):
    """A window for each stage, each (sequence_length, num_features) of its stage."""

    stage1: Matrix
    stage2: Matrix | None = None


CandleList: TypeAlias = Annotated[list[Candle], _UP_TO_MOST]
# Candles as rows are decoded by the order of their values, which stands elsewhere in the body (see candle_forms).
ColumnNames: TypeAlias = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=64)]
ColumnsField: TypeAlias = Annotated[msgspec.Raw | UnsetType, Meta(description=_COLUMNS)]


class Request(msgspec.Struct, kw_only=True):
    """The fields of every request for a prediction. Null stands for the default where it is allowed."""

    pair: Pair
    timeframe: Annotated[Timeframe | None, Meta(description="Default: 1h.")] = None
    data: Annotated[CandleList | CandleColumns | None, Meta(description=_DATA)] = None
    columns: ColumnsField = UNSET
    timestamps: Annotated[Stamp | None, Meta(description=_STAMP)] = None
    features_scaled: Annotated[bool, Meta(description=_SCALED)] = True
    candle_time: Annotated[IsoText | int | float | None, Meta(description=_CANDLE_TIME)] = None
    user_id: UserId = None
    userId: UserId = None  # noqa: N815 - the backend writes either


class PredictRequest(Request, kw_only=True):
    """Body of /reversal/predict and /predict, and one item of a batch."""

    features: Annotated[Matrix | StageFeatures | None, Meta(description=_FEATURES)] = None
    version: Annotated[Version | None, Meta(description=_VERSION)] = None


class ExplainRequest(PredictRequest, kw_only=True):
    """Body of /reversal/explain."""

    background: Annotated[Annotated[int, Meta(ge=1, le=windows.MOST)] | None, Meta(description=_BACKGROUND)] = None


ByVersion: TypeAlias = Annotated[dict[Version, msgspec.Raw], Meta(max_length=sizes.VERSIONS)]


class CompareRequest(Request, kw_only=True):
    """Body of /reversal/compare.

    Of `features` by version only those of the compared versions are decoded.
    """

    features: Annotated[Matrix | ByVersion | None, Meta(description=_FEATURES)] = None
    versions: Annotated[
        Annotated[list[Version], Meta(min_length=1, max_length=sizes.VERSIONS)] | None,
        Meta(description="Default: all loaded versions."),
    ] = None


class BatchRequest(msgspec.Struct):
    """Body of /reversal/predict/batch.

    Items stay raw, so that a bad item does not affect the others.
    """

    items: Annotated[list[msgspec.Raw], Meta(max_length=MAX_BATCH)]


# Candles as rows, which the first decoder does not take.
CANDLE_ROWS: Schema = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_CANDLES,
    "items": {"type": "array", "minItems": 4, "items": {}},
    "description": "Rows of values in the order of `columns`.",
}
# The number of windows that an explanation compares with.
REFERENCES: Schema = {"type": "integer", "minimum": 1, "maximum": windows.MOST}


def _explained(*probabilities: str) -> Schema:
    """The values of a stage's probability."""
    return record(
        {
            "probability_of": {"enum": list(probabilities)},
            "used": BOOLEAN,
            "base_value": SHARE,
            "value": SHARE,
            "features": by_name(NUMBER),
            "method": one_of(Method),
            "standard_errors": or_null(by_name(NUMBER)),
        }
    )


# Answers have these only if there is something to report.
_CIRCUMSTANCES = {"candle_time": INSTANT, "valid_until": or_null(INSTANT), "warnings": WARNINGS}
_PROVENANCE = {
    "served_by": TEXT,
    "fallback_reason": TEXT,
    "experiment": ref("Assignment"),
    "prediction_id": TEXT,
}

_PREDICTION: dict[str, Schema] = {
    "pair": TEXT,
    "timeframe": ref("Timeframe"),
    "signal": SIGNAL,
    "confidence": SHARE,
    "stage1_prob": SHARE,
    "stage2_prob": or_null(SHARE),
    "model_version": TEXT,
    "factors": record(
        {
            "reversal_detected": BOOLEAN,
            "direction": {"enum": ["long", "short", None]},
            "technical": SHARE,
            "pattern": or_null(SHARE),
        }
    ),
    "timestamp": INSTANT,
}

ANSWERS: dict[str, Schema] = {
    "Prediction": record(_PREDICTION, {**_CIRCUMSTANCES, **_PROVENANCE}),
    "ExplainedPrediction": record({**_PREDICTION, "explanation": ref("Explanation")}, _CIRCUMSTANCES),
    "Explanation": record(
        {
            "background": REFERENCES,
            "stage1": _explained("reversal"),
            "stage2": or_null(_explained("long", "short")),
        }
    ),
    "LegacyPrediction": record(
        {
            "prediction": SIGNAL,
            "signal": SIGNAL,
            "confidence": SHARE,
            "factors": record({"technical": SHARE, "sentiment": SHARE, "pattern": SHARE}),
            "model_version": TEXT,
            "timestamp": INSTANT,
        },
        {**_CIRCUMSTANCES, **_PROVENANCE},
    ),
    "BatchResults": record(
        {
            "results": list_of(
                {
                    "oneOf": [
                        record({"success": {"const": True}, "data": ref("Prediction"), "error": NULL}),
                        record({"success": {"const": False}, "data": NULL, **ERROR}, {"details": DETAILS}),
                    ]
                }
            )
        }
    ),
    "Comparison": record(
        {
            "pair": TEXT,
            "timeframe": ref("Timeframe"),
            "predictions": by_name({"oneOf": [ref("Prediction"), record(ERROR)]}),
            "consensus": or_null(SIGNAL),
            "disagreement": BOOLEAN,
            "timestamp": INSTANT,
        }
    ),
}
