"""The features to test, and the fast method of computing them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.features.candles import Candles, Floats
from core.features.table import Table
from tests import market
from tests.market import V30, V31, WIDE

SCALE_FREE = [
    *("true_range_atr", "body_atr", "upper_wick_atr", "lower_wick_atr", "gap_atr", "close_position"),
    *("move_1_atr", "move_5_atr", "move_10_atr", "move_30_atr", "range_1_atr", "range_5_atr", "range_30_atr"),
    *("sma_2_distance", "sma_5_distance", "sma_20_distance", "sma_50_distance"),
    *("bb_position", "bb_upper_distance", "bb_lower_distance", "atr_5_relative", "atr_14_relative"),
    *("atr_ratio_2_50", "atr_ratio_5_14", "volatility_ratio_2_50", "volatility_ratio_5_14"),
    *("stoch_k_2", "stoch_k_5", "stoch_k_50", "stoch_d_5", "efficiency_2", "efficiency_10", "efficiency_30"),
]
ALL = sorted({*V30, *V31, *WIDE, "bb_upper", "bb_lower", *("atr_1", "atr_5", "atr_50"), *SCALE_FREE})
CLOCK = ["hour", "hour_cos", "hour_sin", "week_cos", "week_sin", "weekday"]
Compute = Callable[[Candles, list[str], int], Floats]


def by_table(candles: Candles, names: list[str], rows: int) -> Floats:
    """Compute as the server does: by the table, together with other series of the same length."""
    table = Table(names, rows)
    other = market.candles(0, len(candles))
    with np.errstate(all="ignore"):
        found = table([other, candles, other])
    return found[1, :, table.columns(names)].T
