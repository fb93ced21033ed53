"""The shapes of request bodies. Unknown fields are ignored; numbers as strings are refused."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from core.candles import MAX_CANDLES

DEFAULT_TIMEFRAME = "1h"
MAX_BATCH = 1_024
MAX_USER_ID = 256
# The contract's. A candle has up to 200 bytes, with every digit that a number can have: 1,024 items of the 120 that
# versions recommend are 25 MB. 1,024 of 2,000 would be 400 MB, and have to be sent in parts.
MAX_BODY = 32 * 1024 * 1024

Pair: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Z]{3}/[A-Z]{3}\Z")]
Timeframe: TypeAlias = Literal["1min", "5min", "15min", "30min", "1h", "4h", "1d", "1w", "1M"]
Price: TypeAlias = Annotated[float, Meta(gt=0)]
# So large that nothing else is refused, and small enough that a sum of them is finite: x / infinity would be a
# volume_ratio of 0 and no error.
Volume: TypeAlias = Annotated[float, Meta(ge=0, le=1e300)]
UserId: TypeAlias = Annotated[str, Meta(max_length=MAX_USER_ID)] | int | None
Matrix: TypeAlias = list[list[float]]
# A manifest's version has at most as many; a name in an error's sentence cannot be longer then.
Version: TypeAlias = Annotated[str, Meta(max_length=64)]
# The longest form of ISO 8601 has 35 characters. Read texts are kept (see timestamps), so none may be long.
IsoText: TypeAlias = Annotated[str, Meta(max_length=40)]


class Candle(msgspec.Struct, gc=False):
    """One bar. `timestamp`: ISO 8601 (UTC where it names no zone), or epoch seconds or milliseconds."""

    open: Price
    high: Price
    low: Price
    close: Price
    volume: Volume = 0.0
    timestamp: IsoText | int | float | None = None


class StageFeatures(msgspec.Struct):
    """A window for each stage, each (sequence_length, num_features) of its stage."""

    stage1: Matrix
    stage2: Matrix | None = None


CandleList: TypeAlias = Annotated[list[Candle], Meta(max_length=MAX_CANDLES)]


class Request(msgspec.Struct, kw_only=True):
    """What every request for a prediction has. Where null is allowed it stands for the default."""

    pair: Pair
    timeframe: Timeframe | None = None
    data: CandleList | None = None
    features_scaled: bool = True
    user_id: UserId = None
    userId: UserId = None  # noqa: N815 - the backend writes either


class PredictRequest(Request, kw_only=True):
    """Body of /reversal/predict and /predict, and one item of a batch."""

    features: Matrix | StageFeatures | None = None
    version: Version | None = None


class CompareRequest(Request, kw_only=True):
    """Body of /reversal/compare. `features` may also hold one entry a version; only those asked for are decoded."""

    features: Matrix | dict[Version, msgspec.Raw] | None = None
    versions: Annotated[list[Version], Meta(min_length=1)] | None = None


class BatchRequest(msgspec.Struct):
    """Body of /reversal/predict/batch. Items stay raw, so that a bad one does not spoil the others."""

    items: Annotated[list[msgspec.Raw], Meta(max_length=MAX_BATCH)]
