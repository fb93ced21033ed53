from __future__ import annotations

import re

import numpy as np
import pytest

from core.features import catalogue
from core.features.candles import Candles
from tests import market
from tests.market import V30, V31, WIDE


@pytest.mark.parametrize(
    ("names", "required", "recommended"), [(V30, 46, 115), (V31, 69, 115), (WIDE, 219, 711)], ids=["v30", "v31", "wide"]
)
def test_required_and_recommended_candles(names: list[str], required: int, recommended: int) -> None:
    assert catalogue.required_candles(names, 20) == required
    assert catalogue.recommended_candles(names, 20) == recommended


@pytest.mark.parametrize(
    ("name", "look_back"),
    [
        ("close", 1), ("sma_50", 50), ("ema_200", 1), ("rsi_14", 14), ("macd_signal", 1), ("bb_width", 20),
        ("bb_width_20", 20), ("atr_14", 14), ("stoch_k", 14), ("stoch_d", 16), ("adx_14", 27), ("returns", 2),
        ("log_returns", 2), ("momentum_10", 11), ("volatility_30", 31), ("volume_ratio", 20),
        ("true_range_atr", 15), ("gap_atr", 15), ("move_10_atr", 15), ("move_30_atr", 31), ("range_5_atr", 15),
        ("range_30_atr", 30), ("sma_5_distance", 15), ("sma_50_distance", 50), ("bb_position", 20), ("atr_50", 50),
        ("atr_50_relative", 51), ("atr_ratio_5_50", 51), ("volatility_ratio_5_50", 51), ("stoch_k_50", 50),
        ("stoch_d_50", 52), ("close_position", 1), ("efficiency_10", 11), ("hour_sin", 1), ("weekday", 1),
    ],
)  # fmt: skip
def test_look_backs(name: str, look_back: int) -> None:
    assert catalogue.feature(name).look_back == look_back


@pytest.mark.parametrize("names", [["ema_26"], ["macd_signal"], ["macd"], V31])
def test_the_recommended_candles_are_the_fewest_with_a_negligible_weight_of_the_first(names: list[str]) -> None:
    def values_with_first_close(count: int, first: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        series = market.candles(0, count)
        close = series.close.copy()
        close[0] = first
        candles = Candles.from_fields(series.open, series.high, series.low, close, series.volume)
        recursive = [name for name in names if catalogue.feature(name).slowest_ema]
        return catalogue.matrix(candles, recursive, 20)

    def weight(count: int) -> float:
        return float(np.abs(values_with_first_close(count, 2.0) - values_with_first_close(count, 1.0)).max())

    recommended = catalogue.recommended_candles(names, 20)
    assert weight(recommended) < 1e-3
    assert weight(recommended - 1) >= 1e-3


@pytest.mark.parametrize(
    "name",
    [
        *("", "sma", "sma_", "sma_0", "sma_05", "sma_-1", "sma_2001", "SMA_20", "vwap_5", "volatility_1", "sma_5 "),
        *("sma_<n>", "sma_5_", "sma_5\n", "move_atr", "move__atr", "move_5_atr_5", "atr_ratio_5", "atr_ratio_5_14_50"),
        *("sma_٣", "range_1e3_atr", "hour_5", "body_14_atr", f"sma_{'9' * 300}", "ema_20_distance"),
    ],
)
def test_an_unknown_feature_is_refused_with_its_name(name: str) -> None:
    with pytest.raises(catalogue.UnknownFeature, match=re.escape(repr(name))):
        catalogue.feature(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sma_0", "the bars of sma_<n> must be from 1 to 2000"),
        ("move_2001_atr", "the bars of move_<n>_atr must be from 1 to 2000"),
        ("sma_1_distance", "the bars of sma_<n>_distance must be from 2 to 2000"),
        ("volatility_1", "from 2 to 2000"),
        ("efficiency_1", "from 2 to 2000"),
        ("atr_ratio_1_14", "from 2 to 2000"),
        ("atr_ratio_5_3000", "from 2 to 2000"),
        ("atr_ratio_14_5", "in atr_ratio_<a>_<b>, a must be less than b"),
        ("volatility_ratio_5_5", "in volatility_ratio_<a>_<b>, a must be less than b"),
        ("stoch_k_14", "its name is stoch_k"),
        ("stoch_d_14", "its name is stoch_d"),
        ("vwap_5", "known: open, "),
    ],
)
def test_the_error_of_a_name_says_what_is_wrong_with_it(name: str, reason: str) -> None:
    with pytest.raises(catalogue.UnknownFeature, match=f"unknown feature '{name}'[:;] .*{reason}"):
        catalogue.feature(name)


def test_the_features_of_v32_need_100_candles_and_no_more_change_them() -> None:
    names = ["true_range_atr", "body_atr", "upper_wick_atr", "lower_wick_atr", "gap_atr", "move_10_atr"]
    assert catalogue.required_candles(names, 86) == catalogue.recommended_candles(names, 86) == 100


def test_columns_have_the_order_of_the_names() -> None:
    candles = market.candles(0, 120)
    forward = catalogue.matrix(candles, V31, 20)
    backward = catalogue.matrix(candles, V31[::-1], 20)
    np.testing.assert_array_equal(forward, backward[:, ::-1])


def test_an_overflow_gives_non_finite_values_without_a_warning() -> None:
    huge = np.full(80, 1e308)
    huge[::2] = 1e-300
    assert not np.isfinite(catalogue.matrix(Candles.from_fields(*[huge] * 5), V31, 20)).all()
