from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from core import features
from core.candles import Candles
from core.indicators import Indicators
from tests import market, transcription
from tests.market import V30, V31, WIDE

ALL = sorted({*V30, *V31, *WIDE, "bb_upper", "bb_lower"})


def assert_equal_to_transcription(values: pd.DataFrame, names: list[str], rows: int) -> None:
    ours = features.matrix(Indicators(Candles.from_rows(values[market.FIELDS].to_numpy())), names, rows)
    expected = transcription.features(values)[names].to_numpy()[-rows:]
    error = np.abs(ours - expected) / np.maximum(1.0, np.abs(expected))
    worst = np.unravel_index(error.argmax(), error.shape)
    assert error.max() <= 1e-9, f"{names[worst[1]]} at row {worst[0]}: {ours[worst]}, expected {expected[worst]}"


def flat(values: pd.DataFrame) -> pd.DataFrame:
    return values.assign(open=1.1, high=1.1, low=1.1, close=1.1, volume=0.0)


def rising(values: pd.DataFrame) -> pd.DataFrame:
    close = 1.0 + 0.001 * np.arange(len(values))
    return values.assign(open=close, high=close + 0.0005, low=close - 0.0005, close=close)


def equal_moves(values: pd.DataFrame) -> pd.DataFrame:
    """High rises by what low falls: neither directional move is the larger one."""
    step = 2.0 ** -np.arange(len(values)).clip(max=40)
    return values.assign(open=4.0, close=4.0, high=6.0 - step, low=2.0 + step)


def large(values: pd.DataFrame) -> pd.DataFrame:
    return values.assign(**{name: values[name] * 1e5 for name in ("open", "high", "low", "close")})


SERIES: list[Callable[[pd.DataFrame], pd.DataFrame]] = [lambda values: values, flat, rising, equal_moves, large]


@pytest.mark.parametrize("series", SERIES, ids=["real", "flat", "rising", "equal_moves", "large"])
@pytest.mark.parametrize("count", [221, 400])
def test_every_feature_equals_the_pandas_transcription(
    series: Callable[[pd.DataFrame], pd.DataFrame], count: int
) -> None:
    values = series(market.frame().iloc[1000 : 1000 + count].reset_index(drop=True))
    assert_equal_to_transcription(values, ALL, rows=20)


@pytest.mark.parametrize("names", [V30, V31, WIDE], ids=["v3.0", "v3.1", "wide"])
def test_the_fewest_candles_suffice_and_count_the_first_bar(names: list[str]) -> None:
    required = features.required_candles(names, 20)
    values = market.frame().iloc[500 : 500 + required].reset_index(drop=True)
    assert not transcription.features(values)[names].iloc[-20:].isna().any(axis=None)
    assert_equal_to_transcription(values, names, rows=20)


def test_a_whole_year_at_once_equals_the_transcription() -> None:
    values = market.frame().iloc[:2000]
    rows = 2000 - features.required_candles(ALL, 1) + 1
    assert_equal_to_transcription(values, ALL, rows=rows)


def test_a_series_shorter_than_an_ema_block_and_one_that_fills_it_exactly() -> None:
    for count in (1, 2, 63, 64, 65, 128):
        close = market.frame()["close"].iloc[:count]
        ours = Indicators(market.candles(0, count)).ema(12)
        np.testing.assert_allclose(ours, close.ewm(span=12, adjust=False).mean(), rtol=1e-12)


def test_a_price_that_hardly_moves_keeps_its_deviation() -> None:
    # A running sum of squares has no digit left of this one: 1e-9 around 1e6.
    rng = np.random.default_rng(1)
    close = 1e6 + rng.normal(0.0, 1e-3, 60)
    ours = Indicators(Candles(close, close, close, close, close)).bollinger_std(20)
    expected = [np.std(close[i - 19 : i + 1], ddof=1) for i in range(40, 60)]
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


@pytest.mark.parametrize("price", [1e-6, 1.1, 1e9])
def test_in_a_market_that_stands_still_nothing_moves(price: float) -> None:
    flat = np.full(120, price)
    names = ["macd", "macd_signal", "macd_histogram", "bb_width", "atr_14", "adx_14", "rsi_14", "stoch_k", "ema_26"]
    found = features.matrix(Indicators(Candles(*[flat] * 5)), names, 20)
    expected = [0.0] * 6 + [50.0, 50.0, price]
    # The deviation's mean may round; nothing else does.
    np.testing.assert_allclose(found, np.tile(expected, (20, 1)), rtol=1e-15, atol=1e-15 * price)


def test_parts_are_computed_once_per_series() -> None:
    indicators = Indicators(market.candles(0, 120))
    assert indicators.macd() is indicators.macd()
    assert indicators.ema(12) is indicators.ema(12)
    assert indicators.ema(12) is not indicators.ema(26)
