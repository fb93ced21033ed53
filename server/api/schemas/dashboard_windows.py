"""The last answered windows, as the dashboard shows them."""

from __future__ import annotations

import re
from typing import get_args

from core.features.timeframes import Timeframe
from server.api.schemas.json_schema import (
    BOOLEAN,
    COUNT,
    INSTANT,
    NUMBER,
    SHARE,
    TEXT,
    Schema,
    list_of,
    or_null,
    record,
    ref,
)

TIMEFRAMES: tuple[Timeframe, ...] = get_args(Timeframe)
PAIR = r"[A-Z]{3}/[A-Z]{3}"
is_pair = re.compile(PAIR, re.ASCII).fullmatch
QUERY: dict[str, Schema] = {
    "pair": {"type": "string", "pattern": f"^{PAIR}$"},
    "timeframe": {"enum": list(TIMEFRAMES)},
}

_PLACE: dict[str, Schema] = {"pair": TEXT, "timeframe": ref("Timeframe"), "at": INSTANT}
_SHOWN_SIGNAL = record(
    _PLACE
    | {
        "signal": ref("Signal"),
        "confidence": SHARE,
        "stage1_prob": SHARE,
        "stage2_prob": or_null(SHARE),
        "threshold": SHARE,
        "version": TEXT,
        "latency_ms": NUMBER,
        "warnings": list_of(TEXT),
        "fallback_reason": or_null(TEXT),
        "experiment": or_null(ref("Assignment")),
        "prediction_id": or_null(TEXT),
        "candle_time": or_null(INSTANT),
        "worker": COUNT,
    }
)
_CANDLE = record(dict.fromkeys(("open", "high", "low", "close", "volume"), NUMBER), {"timestamp": INSTANT})

ANSWERS: dict[str, Schema] = {
    "ShownSignal": _SHOWN_SIGNAL,
    "KeptWindow": record(
        {
            "kept": BOOLEAN,
            "window": or_null(record(_PLACE | {"data": list_of(_CANDLE), "signal": ref("ShownSignal")})),
            "places": list_of(record(_PLACE)),
        }
    ),
}
