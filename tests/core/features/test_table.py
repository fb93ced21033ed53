"""The fast table, held against `matrix`, which computes each feature by its definition."""

from __future__ import annotations

import numpy as np
import pytest

from core.features import catalogue
from core.features.candles import Candles
from core.features.table import Table
from tests import market
from tests.market import V30, V31


def test_computes_every_name_once_and_tells_where() -> None:
    table = Table([*V31, *V30], 20)
    assert sorted(table.names) == sorted({*V31, *V30})
    assert [table.names[column] for column in table.columns(V30)] == V30


def test_of_no_recursive_feature() -> None:
    candles = market.candles(0, 40)
    (found,) = Table(["close", "rsi_14"], 5)([candles])
    np.testing.assert_allclose(found, catalogue.matrix(candles, ["close", "rsi_14"], 5), rtol=1e-12)


def test_of_recursive_features_alone() -> None:
    candles = market.candles(0, 40)
    table = Table(["ema_200", "macd_signal"], 5)
    np.testing.assert_allclose(
        table([candles])[0], catalogue.matrix(candles, ["ema_200", "macd_signal"], 5), atol=1e-14
    )


@pytest.mark.parametrize("order", [[40, 2000, 300], [2000, 40, 300]])
def test_serves_any_number_of_candles_after_any_other(order: list[int]) -> None:
    table = Table(["ema_26", "macd"], 20)
    for count in order:
        candles = market.candles(0, count)
        expected = catalogue.matrix(candles, table.names, 20)
        np.testing.assert_allclose(table([candles])[0], expected, rtol=0, atol=1e-14)


def test_leaves_out_only_candles_that_weigh_nothing() -> None:
    recent = market.candles(0, 2000)
    close = recent.close.copy()
    close[:1000] = 1e9
    candles = Candles.from_fields(recent.open, recent.high, recent.low, close, recent.volume)
    table = Table(V31, 20)
    found = table([candles])[0, :, table.columns(V31)].T
    np.testing.assert_allclose(found, catalogue.matrix(candles, V31, 20), rtol=0, atol=1e-9)


def test_overflow_is_left_to_the_caller() -> None:
    huge = np.full(80, 1e308)
    huge[::2] = 1e-300
    with np.errstate(all="ignore"):
        found = Table(["returns", "sma_20"], 20)([Candles.from_fields(*[huge] * 5), market.candles(0, 80)])
    assert not np.isfinite(found[0]).all()
    assert np.isfinite(found[1]).all()
