"""Properties of the features that hold for all series: constant, moving or jumping, short or long, at any price."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.features import catalogue
from core.features.candles import Candles, Floats
from core.features.table import Table
from server.api.schemas.predictions import LEAST_PRICE, MOST_PRICE
from tests import market, transcription
from tests.core.features.computing import ALL, SCALE_FREE, Compute, by_table


def alone(candles: Candles, names: list[str], rows: int) -> Floats:
    """Compute as the server does for a single request: by the table, without other series."""
    table = Table(names, rows)
    with np.errstate(all="ignore"):
        found = table([candles])
    return found[0, :, table.columns(names)].T


by_all_methods = pytest.mark.parametrize("compute", [catalogue.matrix, by_table, alone])

# Features in the unit of the price. The others are ratios, or in the unit of the volume.
PRICED = {name for name in ALL if name.startswith(("sma_", "ema_", "macd", "bb_", "atr_"))}
PRICED -= {"bb_width_20", *SCALE_FREE}
PRICED |= {"open", "high", "low", "close"}
BOUNDED = ["rsi_14", "rsi_28", "stoch_k", "stoch_d", "adx_14", "stoch_k_5", "stoch_d_5"]
SHARES = ["close_position", "efficiency_2", "efficiency_30"]

# A stretch of a series: its length, the size of moves in a bar, the length of wicks, and the volume.
stretches = st.tuples(
    st.integers(1, 75),
    st.sampled_from([0.0, 1e-9, 1e-3, 0.3]),
    st.sampled_from([0.0, 0.0, 1e-3, 0.1]),
    st.sampled_from([0.0, 1.0, 1e12]),
)


@st.composite
def series(draw: st.DrawFn, count: int) -> Floats:
    """Series of shape (5, count), with prices from 1e-3 to 1e3.

    At these prices, the rounding error of a float64 is below the tolerance of 1e-9. Other scales have their own test.
    """
    parts = np.array(draw(st.lists(stretches, min_size=1, max_size=4)))
    moves, wicks, volumes = np.resize(np.repeat(parts, parts[:, 0].astype(int), axis=0), (count, 4))[:, 1:].T
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    # Prices are multiples of a tick, so that some bars have equal highs, lows and moves.
    tick = draw(st.sampled_from([1e-12, 1e-3, 0.125]))
    close = np.exp(np.clip(np.log(draw(st.floats(0.01, 100.0))) + np.cumsum(rng.normal(0.0, moves)), -6.5, 6.5))
    opened = np.where(moves > 0.0, np.concatenate([close[:1], close[:-1]]), close)
    high = np.maximum(opened, close) * (1.0 + wicks * rng.random(count))
    low = np.minimum(opened, close) / (1.0 + wicks * rng.random(count))
    prices = np.maximum(np.round(np.array([opened, high, low, close]) / tick), 1.0) * tick
    return np.vstack([prices, volumes * rng.random(count)])


# Each of these, alone in a table, decides which old candles the table leaves out.
ALONE = st.sampled_from([["ema_5"], ["macd_signal"], ["rsi_14"], ["adx_14"], ["stoch_d"], ["volatility_10"]])


@st.composite
def asked(draw: st.DrawFn) -> tuple[list[str], int, int]:
    """Features, rows, and a sufficient number of candles, which often is the minimum for these features."""
    some = st.lists(st.sampled_from(ALL), min_size=1, max_size=4, unique=True)
    names = draw(ALONE | some | st.just(ALL))
    rows = draw(st.integers(1, 40))
    return names, rows, catalogue.required_candles(names, rows) + draw(st.sampled_from([0, 1, 80]))


@by_all_methods
@given(asked(), st.data())
@settings(max_examples=80, deadline=None)
def test_every_feature_equals_the_transcription(
    compute: Compute, case: tuple[list[str], int, int], data: st.DataObject
) -> None:
    names, rows, count = case
    values = data.draw(series(count))
    expected = transcription.features(pd.DataFrame(values.T, columns=market.FIELDS))[names].iloc[-rows:]
    error = np.abs(compute(Candles(values), names, rows) - expected) / np.maximum(1.0, np.abs(expected))
    assert (error <= 1e-9).all(axis=None), error.max().nlargest(3)  # NaN is not <= either


@by_all_methods
@given(asked(), st.data())
@settings(max_examples=80, deadline=None)
def test_a_row_depends_neither_on_later_candles_nor_on_those_before_its_look_back(
    compute: Compute, case: tuple[list[str], int, int], data: st.DataObject
) -> None:
    names, rows, count = case
    one, other = data.draw(series(count)), data.draw(series(count))
    cut = data.draw(st.integers(0, rows - 1), label="cut")  # the first row with a different series
    bar = count - rows + cut
    spliced = np.hstack([one[:, :bar], other[:, bar:]])
    before, after, found = (compute(Candles(each), names, rows) for each in (one, other, spliced))
    # Results are equal to the bit: the sums have the same terms, and candles without weight are multiplied by 0.
    np.testing.assert_array_equal(found[:cut], before[:cut])
    for column, name in enumerate(names):
        feature = catalogue.feature(name)
        if not feature.slowest_ema:
            # In older features, the first bar of the look-back is compared with its predecessor.
            settled = cut + feature.look_back - (name in SCALE_FREE)
            np.testing.assert_array_equal(found[settled:, column], after[settled:, column], err_msg=name)


@by_all_methods
@given(asked(), st.integers(-300, 300), st.data())
@settings(max_examples=80, deadline=None)
def test_another_unit_of_the_price_scales_the_features_in_that_unit_only(
    compute: Compute, case: tuple[list[str], int, int], power: int, data: st.DataObject
) -> None:
    names, rows, count = case
    values = data.draw(series(count))
    units = np.array([[2.0**power]] * 4 + [[1.0]])
    scale = np.array([2.0**power if name in PRICED else 1.0 for name in names])
    # A power of two changes the exponents of all intermediate numbers but no digits, so even rounding is the same.
    found = compute(Candles(values * units), names, rows)
    np.testing.assert_array_equal(found, compute(Candles(values), names, rows) * scale)


prices = st.one_of(st.floats(1e-300, 1e300), st.sampled_from([5e-324, 1.0, 1.1, 1e300]))


@by_all_methods
@given(st.lists(st.lists(prices, min_size=4, max_size=4).map(sorted), min_size=40, max_size=40))
@settings(max_examples=60, deadline=None)
def test_oscillators_stay_in_their_range_at_all_valid_prices(compute: Compute, bars: list[list[float]]) -> None:
    low, opened, close, high = np.array(bars).T
    found = compute(Candles.from_fields(opened, high, low, close, opened), BOUNDED, 5)
    # Rounding can change 100 * x / x, and the mean of such values, slightly.
    assert ((found >= 0.0) & (found <= 100.0 * (1.0 + 1e-14))).all(), found


contract = st.one_of(st.floats(LEAST_PRICE, MOST_PRICE), st.sampled_from([LEAST_PRICE, 1.1, MOST_PRICE]))


@by_all_methods
@given(st.lists(st.lists(contract, min_size=4, max_size=4).map(sorted), min_size=55, max_size=55), st.integers(0, 55))
@settings(max_examples=60, deadline=None)
def test_scale_free_features_are_finite_at_all_prices_of_the_contract(
    compute: Compute, bars: list[list[float]], flat: int
) -> None:
    values = np.array(bars).T
    values[:, flat:] = values[2, max(0, flat - 1)]  # from this bar on, the price does not move
    low, opened, close, high = values
    found = compute(Candles.from_fields(opened, high, low, close, opened), SCALE_FREE, 4)
    assert np.isfinite(found).all(), dict(zip(SCALE_FREE, found.T.tolist(), strict=True))
    shares = found[:, [SCALE_FREE.index(name) for name in SHARES]]
    assert ((shares >= 0.0) & (shares <= 1.0 + 1e-14)).all(), shares
