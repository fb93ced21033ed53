"""Names in users' files, and the nearest of ours."""

from __future__ import annotations

import pytest

from convert.sources.feature_names import mapping, nearest
from core.features.catalogue import FIXED


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        *((name, name) for name in (*FIXED, "sma_5", "rsi_7", "volatility_10")),
        *((name, "close") for name in ("Close", "close_price", "Adj Close", "CLOSE", " close ", "closes")),
        *((name, "volume") for name in ("Volume", "vol", "tick_volume", "Volumes")),
        *((name, "sma_5") for name in ("moving_avg_5", "MA5", "SMA_5", "5_day_MA", "ma_5d", "MovingAverage5")),
        *((name, "ema_12") for name in ("ema12", "EMA_12", "Ewma 12", "exponential_moving_average_12")),
        *((name, "rsi_14") for name in ("RSI", "rsi14", "RSI_14", "momentum_rsi", "relative_strength_index")),
        *((name, "macd_signal") for name in ("MACD_signal", "MACDs_12_26_9", "macd_sig", "trend_macd_signal")),
        *((name, "macd_hist") for name in ("MACD_hist", "MACDh_12_26_9", "macd_diff")),
        ("MACD_Histogram", "macd_histogram"),
        ("MACD_12_26_9", "macd"),
        *((name, "bb_upper") for name in ("BB_upper", "upper_band", "Bollinger_Upper", "bb_high", "BBANDS_UPPER")),
        *((name, "bb_upper_20") for name in ("BBU_20_2.0", "BB_upper_20")),
        ("BB_Width", "bb_width"),
        ("Bollinger_width_20", "bb_width_20"),
        *((name, "atr_14") for name in ("ATR", "ATRr_14", "atr14", "volatility_atr", "Average True Range")),
        *((name, "stoch_k") for name in ("%K", "STOCHk_14_3_3", "slowk", "Stochastic_K")),
        ("%D", "stoch_d"),
        *((name, "adx_14") for name in ("ADX", "adx14", "trend_adx")),
        *((name, "volume_sma_20") for name in ("Volume_MA_20", "vol_sma", "volume_ma")),
        *((name, "returns") for name in ("Return", "daily_return", "pct_change", "returns_1")),
        ("Log_Returns", "log_returns"),
        *((name, name) for name in ("atr_7", "move_10_atr", "atr_ratio_5_20", "stoch_k_5", "sma_50_distance")),
        *((name, "atr_7") for name in ("ATR7", "ATRr_7", "Average True Range 7")),
        *((name, "stoch_k_5") for name in ("STOCHk_5", "Stochastic %K 5")),
        *((name, "hour") for name in ("Hour", "hour_of_day")),
        *((name, "weekday") for name in ("DayOfWeek", "day_of_week", "dow")),
        *((name, "hour_sin") for name in ("HourSin", "sin_hour")),
        ("cos_hour", "hour_cos"),
        ("Efficiency_Ratio_10", "efficiency_10"),
    ],
)  # fmt: skip
def test_nearest_of_a_users_name(name: str, ours: str) -> None:
    assert nearest(name) == ours


@pytest.mark.parametrize(
    "name",
    [
        *("", "5", "x", "feature_1", "sentiment", "month_sin", "rvi", "kama_10", "dema_20", "wma_5", "vwap"),
        # Our names have another period, or none.
        *("SMA", "atr_0", "volume_sma_10", "MACD_5_35_5", "BB_upper_50", "volatility_1", "ema_12_26", "sma_0"),
        # The same letters, another feature.
        *("hour_7", "minute", "weekday_sin", "STOCHd_5", "stoch_k_5_3_3", "atr_diff", "BB_position_50"),
        *("close_lag_1", "returns_lag_1", "volume_ema_20", "close_open", "high_low", "volume_change", "RSI_14_diff"),
        "é" * 300,
        "1" * 100_000,
    ],
)  # fmt: skip
def test_name_of_another_feature_has_no_nearest(name: str) -> None:
    assert nearest(name) is None


def test_mapping_keeps_the_order_and_gives_each_of_ours_once() -> None:
    found = mapping(["SMA_5", "Close", "MA5", "sentiment", "volume", "Volume", "RSI"])
    assert list(found.items()) == [("sma_5", "SMA_5"), ("close", "Close"), ("volume", "volume"), ("rsi_14", "RSI")]


def test_one_of_ours_comes_before_a_name_that_resembles_it() -> None:
    assert mapping(["Close", "close"]) == {"close": "close"}
