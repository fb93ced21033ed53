"""The fast table, compared with `matrix`, which computes each feature by its definition."""

from __future__ import annotations

import numpy as np
import pytest

from core.features import catalogue
from core.features.candles import Candles
from core.features.table import Table
from tests import market
from tests.market import V30, V31


def test_each_name_has_one_column() -> None:
    table = Table([*V31, *V30], 20)
    assert sorted(table.names) == sorted({*V31, *V30})
    assert [table.names[column] for column in table.columns(V30)] == V30


def test_a_table_without_recursive_features() -> None:
    candles = market.candles(0, 40)
    (found,) = Table(["close", "rsi_14"], 5)([candles])
    np.testing.assert_allclose(found, catalogue.matrix(candles, ["close", "rsi_14"], 5), rtol=1e-12)


def test_a_table_of_recursive_features_only() -> None:
    candles = market.candles(0, 40)
    table = Table(["ema_200", "macd_signal"], 5)
    np.testing.assert_allclose(
        table([candles])[0], catalogue.matrix(candles, ["ema_200", "macd_signal"], 5), atol=1e-14
    )


@pytest.mark.parametrize("order", [[40, 2000, 300], [2000, 40, 300]])
def test_the_number_of_candles_can_change_between_calls(order: list[int]) -> None:
    table = Table(["ema_26", "macd"], 20)
    for count in order:
        candles = market.candles(0, count)
        expected = catalogue.matrix(candles, table.names, 20)
        np.testing.assert_allclose(table([candles])[0], expected, rtol=0, atol=1e-14)


def test_only_candles_without_weight_are_left_out() -> None:
    recent = market.candles(0, 2000)
    close = recent.close.copy()
    close[:1000] = 1e9
    candles = Candles.from_fields(recent.open, recent.high, recent.low, close, recent.volume)
    table = Table(V31, 20)
    found = table([candles])[0, :, table.columns(V31)].T
    np.testing.assert_allclose(found, catalogue.matrix(candles, V31, 20), rtol=0, atol=1e-9)


def test_an_overflow_gives_non_finite_values_in_its_own_series_only() -> None:
    huge = np.full(80, 1e308)
    huge[::2] = 1e-300
    with np.errstate(all="ignore"):
        found = Table(["returns", "sma_20"], 20)([Candles.from_fields(*[huge] * 5), market.candles(0, 80)])
    assert not np.isfinite(found[0]).all()
    assert np.isfinite(found[1]).all()
