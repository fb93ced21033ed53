from __future__ import annotations

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
    "name", ["", "sma", "sma_", "sma_0", "sma_05", "sma_-1", "sma_2001", "SMA_20", "vwap_5", "volatility_1", "sma_5 "]
)
def test_an_unknown_feature_is_refused_with_its_name(name: str) -> None:
    with pytest.raises(catalogue.UnknownFeature, match=repr(name)):
        catalogue.feature(name)


def test_columns_have_the_order_of_the_names() -> None:
    candles = market.candles(0, 120)
    forward = catalogue.matrix(candles, V31, 20)
    backward = catalogue.matrix(candles, V31[::-1], 20)
    np.testing.assert_array_equal(forward, backward[:, ::-1])


def test_an_overflow_gives_non_finite_values_without_a_warning() -> None:
    huge = np.full(80, 1e308)
    huge[::2] = 1e-300
    assert not np.isfinite(catalogue.matrix(Candles.from_fields(*[huge] * 5), V31, 20)).all()
