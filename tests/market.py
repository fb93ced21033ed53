"""The real EUR/USD series, in the formats that tests need."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.features.candles import Candles

ROOT = Path(__file__).parents[1]
KERAS = ROOT / "models" / "keras"
ONNX = ROOT / "models" / "onnx"
# The committed versions in their order. The first is the one that a server without further settings is active on.
VERSIONS: list[str] = json.loads((ONNX / "index.json").read_text())["order"]
DEFAULT = VERSIONS[0]
FIELDS = ["open", "high", "low", "close", "volume"]

# The features of v3.0, of v3.1, and of a version with 38 features and no Stage 2.
V30 = [
    "close",
    "high",
    "low",
    "sma_20",
    "ema_12",
    "rsi_14",
    "macd",
    "macd_signal",
    "bb_middle",
    "bb_width",
    "atr_14",
    "adx_14",
]
V31 = [
    "sma_20",
    "sma_50",
    "ema_12",
    "ema_26",
    "rsi_14",
    "macd",
    "macd_signal",
    "macd_histogram",
    "bb_width",
    "atr_14",
    "stoch_k",
    "adx_14",
]
WIDE = [
    "open",
    "high",
    "low",
    "close",
    "volume",
    "returns",
    "log_returns",
    "sma_5",
    "sma_10",
    "sma_20",
    "sma_50",
    "sma_100",
    "sma_200",
    "ema_5",
    "ema_10",
    "ema_20",
    "ema_50",
    "ema_100",
    "ema_200",
    "bb_upper_20",
    "bb_lower_20",
    "bb_width_20",
    "rsi_14",
    "rsi_28",
    "macd",
    "macd_signal",
    "macd_hist",
    "atr_14",
    "stoch_k",
    "stoch_d",
    "volume_sma_20",
    "volume_ratio",
    "momentum_5",
    "momentum_10",
    "momentum_20",
    "volatility_10",
    "volatility_20",
    "volatility_30",
]


@cache
def frame() -> pd.DataFrame:
    """Return all 6,225 hourly bars."""
    return pd.read_csv(ROOT / "training" / "data" / "eurusd_1h_2017.csv")


def candles(start: int, count: int) -> Candles:
    """Return bars in core's form."""
    return Candles.from_rows(frame()[FIELDS].to_numpy(np.float64)[start : start + count])


def body(start: int = 3000, count: int = 120, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the body of a request with bars, as the backend sends it."""
    data = frame().iloc[start : start + count].to_dict("records")
    return {"pair": "EUR/USD", "timeframe": "1h", "data": data, "features": None, "version": None} | fields
