from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from core.features import catalogue, indicators
from core.features.candles import Candles
from core.features.indicators import Indicators
from tests import market, transcription
from tests.core.features.computing import ALL, Compute, by_table
from tests.market import V30, V31, WIDE


@pytest.fixture(params=[catalogue.matrix, by_table], ids=["matrix", "table"])
def compute(request: pytest.FixtureRequest) -> Compute:
    found: Compute = request.param
    return found


def assert_equal_to_transcription(compute: Compute, values: pd.DataFrame, names: list[str], rows: int) -> None:
    ours = compute(Candles.from_rows(values[market.FIELDS].to_numpy()), names, rows)
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
    """High rises as much as low falls, so neither directional move is larger."""
    step = 2.0 ** -np.arange(len(values)).clip(max=40)
    return values.assign(open=4.0, close=4.0, high=6.0 - step, low=2.0 + step)


def large(values: pd.DataFrame) -> pd.DataFrame:
    return values.assign(**{name: values[name] * 1e5 for name in ("open", "high", "low", "close")})


def tiny(values: pd.DataFrame) -> pd.DataFrame:
    return values.assign(**{name: values[name] * 1e-8 for name in ("open", "high", "low", "close")})


def still_at_its_end(values: pd.DataFrame) -> pd.DataFrame:
    """The last 80 bars have a constant price and no volume; the bars before them move."""
    frozen = {name: values[name].where(values.index < len(values) - 80, 1.3) for name in ("open", "high", "low")}
    return values.assign(**frozen, close=frozen["open"], volume=values["volume"].where(frozen["open"] != 1.3, 0.0))


SERIES: list[Callable[[pd.DataFrame], pd.DataFrame]] = [
    lambda values: values, flat, rising, equal_moves, large, tiny, still_at_its_end,
]  # fmt: skip
NAMES = ["real", "flat", "rising", "equal_moves", "large", "tiny", "still_at_its_end"]


@pytest.mark.parametrize("series", SERIES, ids=NAMES)
@pytest.mark.parametrize("count", [221, 400])
def test_every_feature_equals_the_pandas_transcription(
    compute: Compute, series: Callable[[pd.DataFrame], pd.DataFrame], count: int
) -> None:
    values = series(market.frame().iloc[1000 : 1000 + count].reset_index(drop=True))
    assert_equal_to_transcription(compute, values, ALL, rows=20)


@pytest.mark.parametrize("names", [V30, V31, WIDE], ids=["v3.0", "v3.1", "wide"])
def test_the_required_candles_are_enough(compute: Compute, names: list[str]) -> None:
    required = catalogue.required_candles(names, 20)
    values = market.frame().iloc[500 : 500 + required].reset_index(drop=True)
    assert not transcription.features(values)[names].iloc[-20:].isna().any(axis=None)
    assert_equal_to_transcription(compute, values, names, rows=20)


@pytest.mark.parametrize("name", ALL)
def test_the_required_candles_are_enough_for_each_feature_alone(compute: Compute, name: str) -> None:
    values = market.frame().iloc[700 : 700 + catalogue.required_candles([name], 5)].reset_index(drop=True)
    assert_equal_to_transcription(compute, values, [name], rows=5)


def test_2000_bars_at_once_equal_the_transcription() -> None:
    values = market.frame().iloc[:2000]
    rows = 2000 - catalogue.required_candles(ALL, 1) + 1
    assert_equal_to_transcription(catalogue.matrix, values, ALL, rows=rows)


@pytest.mark.parametrize("seed", range(8))
def test_random_series_of_several_lengths_and_scales_equal_the_transcription(compute: Compute, seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.choice([221, 255, 256, 257, 700, 2000]))
    close = 10.0 ** rng.uniform(-4, 5) * np.exp(np.cumsum(rng.normal(0.0, rng.choice([1e-5, 1e-2, 0.1]), count)))
    # Some neighbouring closes are equal, and some bars have no range.
    close[1:] = np.where(rng.random(count - 1) < 0.2, close[:-1], close[1:])
    opened = np.concatenate([close[:1], close[:-1]])
    wicks = 1.0 + rng.exponential(1e-2, (2, count)) * (rng.random((2, count)) < 0.7)
    values = pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * wicks[0],
            "low": np.minimum(opened, close) / wicks[1],
            "close": close,
            "volume": rng.exponential(1e9, count) * (rng.random(count) < 0.5),
        }
    )
    assert_equal_to_transcription(compute, values, ALL, rows=20)


def test_an_ema_of_a_series_that_is_shorter_than_its_period() -> None:
    for count in (1, 2, 63, 64):
        close = market.frame()["close"].iloc[:count]
        ours = Indicators(market.candles(0, count), count).ema(200)
        np.testing.assert_allclose(ours, close.ewm(span=200, adjust=False).mean(), rtol=1e-12)


def test_a_price_that_hardly_moves_keeps_its_deviation(compute: Compute) -> None:
    # In a running sum of squares, all digits of this deviation would be lost: 1e-3 around 1e6.
    rng = np.random.default_rng(1)
    close = 1e6 + rng.normal(0.0, 1e-3, 60)
    ours = compute(Candles.from_fields(*[close] * 5), ["bb_width"], 20)[:, 0] / 4.0
    expected = [np.std(close[i - 19 : i + 1], ddof=1) for i in range(40, 60)]
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


@pytest.mark.parametrize("price", [1e-6, 1.1, 1e9])
def test_features_of_a_constant_price(compute: Compute, price: float) -> None:
    flat = np.full(120, price)
    names = ["macd", "macd_signal", "macd_histogram", "bb_width", "atr_14", "adx_14", "rsi_14", "stoch_k", "ema_26"]
    found = compute(Candles.from_fields(*[flat] * 5), names, 20)
    expected = [0.0] * 6 + [50.0, 50.0, price]
    # Only the mean inside the standard deviation can have a rounding error.
    np.testing.assert_allclose(found, np.tile(expected, (20, 1)), rtol=1e-15, atol=1e-15 * price)
    exact = [names.index(name) for name in names if name != "bb_width"]
    np.testing.assert_array_equal(found[:, exact], np.tile(np.array(expected)[exact], (20, 1)))


@pytest.mark.parametrize("bars", [30, 400])
@pytest.mark.parametrize("n", [1, 2, 7, 14, 16, 30])
def test_rolling_functions_equal_the_function_of_each_window(bars: int, n: int) -> None:
    x = np.random.default_rng(2).exponential(1.0, (2, 3, bars))
    each = np.lib.stride_tricks.sliding_window_view(x, n, axis=-1)
    np.testing.assert_allclose(indicators.rolling_sum(x, n), each.sum(axis=-1), rtol=1e-13)
    np.testing.assert_array_equal(indicators.rolling_max(x, n), each.max(axis=-1))
    if n > 1:
        ours = indicators.rolling_std(x, n, indicators.rolling_mean(x, n))
        np.testing.assert_allclose(ours, each.std(axis=-1, ddof=1), rtol=1e-12)


def test_intermediate_results_are_computed_once() -> None:
    found = Indicators(market.candles(0, 120), 20)
    assert found.sma(20) is found.sma(20)
    assert found.sma(20) is not found.sma(50)
    assert found.bollinger_std() is found.bollinger_std()
