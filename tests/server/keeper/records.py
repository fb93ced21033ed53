"""Records as a worker writes them."""

from __future__ import annotations

from typing import Any

import msgspec

from core.experiments.records import Exposure
from core.features.candle_keys import candle_key_of_time

HOUR_MS = 3_600_000
AT = 1_760_605_200_000_000  # 2025-10-16 09:00 UTC

_BASE = Exposure(
    prediction_id="p1",
    at=AT,
    experiment_id="exp",
    variant="A",
    version="v1",
    fallback_reason=None,
    user="5f4dcc3b5aa765d61d8327deb882cf99",
    pair="EUR/USD",
    timeframe="1h",
    candle=candle_key_of_time(0),
    signal="long",
    confidence=0.75,
    stage1_prob=0.82,
    stage2_prob=0.68,
    latency_us=300,
    slow=False,
)


def exposure(prediction_id: str, hour: int = 0, **changes: Any) -> Exposure:  # noqa: ANN401 - each has its type
    """An exposure on the candle of an hour, counted from 1970."""
    fields = {"prediction_id": prediction_id, "candle": candle_key_of_time(hour * HOUR_MS)} | changes
    made: Exposure = msgspec.structs.replace(_BASE, **fields)
    return made
