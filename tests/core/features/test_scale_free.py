"""The edges of the features that do not depend on the unit of the price."""

from __future__ import annotations

import numpy as np
import pytest

from core.features import catalogue
from core.features.candles import Candles, Floats
from tests import market
from tests.core.features.computing import SCALE_FREE, Compute, by_table

by_both = pytest.mark.parametrize("compute", [catalogue.matrix, by_table], ids=["matrix", "table"])


def of_one_price(price: float, count: int = 60) -> Floats:
    return np.vstack([np.full((4, count), price), np.zeros((1, count))])


@by_both
@pytest.mark.parametrize("price", [1e-12, 0.1, 1.1, 1e12])
def test_features_of_a_constant_price(compute: Compute, price: float) -> None:
    found = compute(Candles(of_one_price(price)), SCALE_FREE, 5)
    middle = {"close_position": 0.5} | {name: 50.0 for name in SCALE_FREE if name.startswith("stoch_")}
    expected = [middle.get(name, 0.0) for name in SCALE_FREE]
    np.testing.assert_array_equal(found, np.tile(expected, (5, 1)))


@by_both
def test_a_move_over_an_atr_of_zero_is_zero(compute: Compute) -> None:
    values = of_one_price(1.2)
    values[:4, :44] = 1.1
    names = ["move_30_atr", "range_30_atr", "sma_50_distance", "bb_upper_distance", "atr_ratio_5_14"]
    found = compute(Candles(values), names, 2)
    np.testing.assert_array_equal(found[1], np.zeros(len(names)))
    jump = compute(Candles(values[:, :45]), ["move_30_atr", "true_range_atr", "gap_atr", "body_atr"], 1)
    np.testing.assert_allclose(jump, [[14.0, 14.0, 14.0, 0.0]], rtol=1e-12)


@by_both
def test_a_position_in_bands_without_width_is_zero_and_at_their_edges_one(compute: Compute) -> None:
    values = of_one_price(0.1)  # its mean is not exactly 0.1
    assert compute(Candles(values), ["bb_position", "volatility_ratio_5_14"], 1).tolist() == [[0.0, 0.0]]
    series = market.candles(1000, 40)
    position, upper, lower, distance = compute(
        series, ["bb_position", "bb_upper_distance", "bb_lower_distance", "sma_20_distance"], 20
    ).T
    np.testing.assert_allclose(position, 2.0 * distance / (lower - upper), rtol=1e-12)
    np.testing.assert_allclose(upper + lower, 2.0 * distance, rtol=1e-9, atol=1e-12)


@by_both
def test_equal_returns_have_no_volatility(compute: Compute) -> None:
    close = np.array([10.0 ** (13 - k) * 13.0**k for k in range(14)])  # exact, and each return is 1.3 - 1
    assert len(set((close[1:] / close[:-1]).tolist())) == 1
    found = compute(Candles(np.array([close] * 5)), ["volatility_ratio_7_12", "volatility_ratio_10_11"], 1)
    np.testing.assert_array_equal(found, np.zeros((1, 2)))


@by_both
@pytest.mark.parametrize("name", SCALE_FREE)
def test_the_value_does_not_depend_on_where_the_series_begins(compute: Compute, name: str) -> None:
    required = catalogue.required_candles([name], 3)
    whole, short = (Candles(market.candles(2000, 300).values[:, -n:]) for n in (300, required))
    np.testing.assert_allclose(compute(short, [name], 3), compute(whole, [name], 3), rtol=1e-12, atol=1e-14)


@by_both
@pytest.mark.parametrize("price", [2e-12, 1.1, 9e11])
def test_a_market_that_hardly_moves_keeps_its_digits(compute: Compute, price: float) -> None:
    """The rounding error of a mean of such closes would be a thousandth of their moves."""
    steps = np.random.default_rng(3).integers(-3, 4, 90)
    close = price * (1.0 + 2.0**-44 * np.cumsum(steps))
    assert (np.diff(close) != 0.0).any()
    (found,) = compute(Candles(np.array([close] * 5)), ["sma_20_distance", "move_10_atr", "bb_position"], 1)
    last = (close - close[-1]) / price  # the differences are exact
    changes = np.abs(np.diff(last))
    atr, deviation = changes[-14:].mean(), np.std(last[-20:], ddof=1)
    expected = [-np.mean(last[-20:]) / atr, -last[-11] / atr, -np.mean(last[-20:]) / (2.0 * deviation)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("power", [-30, 1, 40])
def test_another_unit_of_the_price_changes_nothing(power: int) -> None:
    values = market.candles(0, 300).values
    scaled = values * np.array([[2.0**power]] * 4 + [[1.0]])
    one, other = (catalogue.matrix(Candles(each), SCALE_FREE, 100) for each in (values, scaled))
    np.testing.assert_array_equal(one, other)


def test_older_features_kept_their_values_beside_those_that_resemble_them() -> None:
    candles = market.candles(0, 300)
    pairs = [("atr_14_relative", "atr_14"), ("stoch_k_5", "stoch_k"), ("bb_position", "bb_width")]
    for one, other in pairs:
        both = catalogue.matrix(candles, [one, other], 200)
        np.testing.assert_array_equal(both[:, 1], catalogue.matrix(candles, [other], 200)[:, 0])
    relative, atr, close = catalogue.matrix(candles, ["atr_14_relative", "atr_14", "close"], 200).T
    np.testing.assert_allclose(relative * close, atr, rtol=1e-12)
