"""The shapes of request bodies. Unknown fields are ignored; numbers as strings are refused."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from core.candles import MAX_CANDLES

DEFAULT_TIMEFRAME = "1h"
MAX_BATCH = 1_024
MAX_BODY = 32 * 1024 * 1024

Pair: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Z]{3}/[A-Z]{3}\Z")]
Timeframe: TypeAlias = Literal["1min", "5min", "15min", "30min", "1h", "4h", "1d", "1w", "1M"]
Price: TypeAlias = Annotated[float, Meta(gt=0)]
UserId: TypeAlias = Annotated[str, Meta(max_length=256)] | int | None
Matrix: TypeAlias = list[list[float]]


class Candle(msgspec.Struct, gc=False):
    """One bar. `timestamp`: ISO 8601 (UTC where it names no zone), or epoch seconds or milliseconds."""

    open: Price
    high: Price
    low: Price
    close: Price
    volume: Annotated[float, Meta(ge=0)] = 0.0
    timestamp: str | int | float | None = None


class StageFeatures(msgspec.Struct):
    """A window for each stage, each (sequence_length, num_features) of its stage."""

    stage1: Matrix
    stage2: Matrix | None = None


CandleList: TypeAlias = Annotated[list[Candle], Meta(max_length=MAX_CANDLES)]


class Request(msgspec.Struct, kw_only=True):
    """What every request for a prediction has. A null stands for the default."""

    pair: Pair
    timeframe: Timeframe | None = None
    data: CandleList | None = None
    features_scaled: bool = True
    user_id: UserId = None
    userId: UserId = None  # noqa: N815 - the backend writes either


class PredictRequest(Request, kw_only=True):
    """Body of /reversal/predict and /predict, and one item of a batch."""

    features: Matrix | StageFeatures | None = None
    version: str | None = None


class CompareRequest(Request, kw_only=True):
    """Body of /reversal/compare. `features` may also hold one entry a version; those are decoded apart."""

    features: Matrix | dict[str, msgspec.Raw] | None = None
    versions: Annotated[list[str], Meta(min_length=1)] | None = None


class BatchRequest(msgspec.Struct):
    """Body of /reversal/predict/batch. Items stay raw, so that a bad one does not spoil the others."""

    items: Annotated[list[msgspec.Raw], Meta(max_length=MAX_BATCH)]
