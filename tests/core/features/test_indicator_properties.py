"""What holds of the features of every series: still, stepping or jumping, short or long, cheap or dear."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.features import catalogue
from core.features.candles import Candles, Floats
from core.features.table import Table
from tests import market, transcription
from tests.core.features.computing import ALL, Compute, by_table


def alone(candles: Candles, names: list[str], rows: int) -> Floats:
    """As a request is served beside which there is no other."""
    table = Table(names, rows)
    with np.errstate(all="ignore"):
        found = table([candles])
    return found[0, :, table.columns(names)].T


computed_any_way = pytest.mark.parametrize("compute", [catalogue.matrix, by_table, alone])

# Those in the unit of the price; the rest are ratios, or of the volume.
PRICED = {name for name in ALL if name.startswith(("sma_", "ema_", "macd", "bb_", "atr_"))} - {"bb_width_20"}
PRICED |= {"open", "high", "low", "close"}
BOUNDED = ["rsi_14", "rsi_28", "stoch_k", "stoch_d", "adx_14"]

# Each stretch of a series: how far close moves in a bar, how long the wicks are, how much is traded.
stretches = st.tuples(
    st.integers(1, 75),
    st.sampled_from([0.0, 1e-9, 1e-3, 0.3]),
    st.sampled_from([0.0, 0.0, 1e-3, 0.1]),
    st.sampled_from([0.0, 1.0, 1e12]),
)


@st.composite
def series(draw: st.DrawFn, count: int) -> Floats:
    """Shape (5, count). From 1e-3 to 1e3, where 1e-9 is above what a float64 of the price itself may be off by.

    What lies beyond is a matter of scale, which has a property of its own.
    """
    parts = np.array(draw(st.lists(stretches, min_size=1, max_size=4)))
    moves, wicks, volumes = np.resize(np.repeat(parts, parts[:, 0].astype(int), axis=0), (count, 4))[:, 1:].T
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    # On a tick's grid bars have equal highs, lows and moves.
    tick = draw(st.sampled_from([1e-12, 1e-3, 0.125]))
    close = np.exp(np.clip(np.log(draw(st.floats(0.01, 100.0))) + np.cumsum(rng.normal(0.0, moves)), -6.5, 6.5))
    opened = np.where(moves > 0.0, np.concatenate([close[:1], close[:-1]]), close)
    high = np.maximum(opened, close) * (1.0 + wicks * rng.random(count))
    low = np.minimum(opened, close) / (1.0 + wicks * rng.random(count))
    prices = np.maximum(np.round(np.array([opened, high, low, close]) / tick), 1.0) * tick
    return np.vstack([prices, volumes * rng.random(count)])


# By itself each decides which candles a table leaves out as too old.
ALONE = st.sampled_from([["ema_5"], ["macd_signal"], ["rsi_14"], ["adx_14"], ["stoch_d"], ["volatility_10"]])


@st.composite
def asked(draw: st.DrawFn) -> tuple[list[str], int, int]:
    """Features, rows, and candles that suffice for them: often just, and the fewer features the fewer."""
    some = st.lists(st.sampled_from(ALL), min_size=1, max_size=4, unique=True)
    names = draw(ALONE | some | st.just(ALL))
    rows = draw(st.integers(1, 40))
    return names, rows, catalogue.required_candles(names, rows) + draw(st.sampled_from([0, 1, 80]))


@computed_any_way
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


@computed_any_way
@given(asked(), st.data())
@settings(max_examples=80, deadline=None)
def test_a_row_depends_on_no_later_candle_and_on_none_before_its_look_back(
    compute: Compute, case: tuple[list[str], int, int], data: st.DataObject
) -> None:
    names, rows, count = case
    one, other = data.draw(series(count)), data.draw(series(count))
    cut = data.draw(st.integers(0, rows - 1), label="cut")  # of the rows
    bar = count - rows + cut
    spliced = np.hstack([one[:, :bar], other[:, bar:]])
    before, after, found = (compute(Candles(each), names, rows) for each in (one, other, spliced))
    # To the bit, as the same sums are made of the same numbers, and what has no weight is a product with 0.
    np.testing.assert_array_equal(found[:cut], before[:cut])
    for column, name in enumerate(names):
        feature = catalogue.feature(name)
        if not feature.slowest_ema:  # the bar before the look-back is what its first bar has moved from
            settled = cut + feature.look_back
            np.testing.assert_array_equal(found[settled:, column], after[settled:, column], err_msg=name)


@computed_any_way
@given(asked(), st.integers(-300, 300), st.data())
@settings(max_examples=80, deadline=None)
def test_a_price_in_another_unit_scales_what_is_a_price_and_leaves_the_rest(
    compute: Compute, case: tuple[list[str], int, int], power: int, data: st.DataObject
) -> None:
    names, rows, count = case
    values = data.draw(series(count))
    units = np.array([[2.0**power]] * 4 + [[1.0]])
    scale = np.array([2.0**power if name in PRICED else 1.0 for name in names])
    # A power of two moves the exponent of every number on the way, and no digit: not even rounding may differ.
    found = compute(Candles(values * units), names, rows)
    np.testing.assert_array_equal(found, compute(Candles(values), names, rows) * scale)


prices = st.one_of(st.floats(1e-300, 1e300), st.sampled_from([5e-324, 1.0, 1.1, 1e300]))


@computed_any_way
@given(st.lists(st.lists(prices, min_size=4, max_size=4).map(sorted), min_size=40, max_size=40))
@settings(max_examples=60, deadline=None)
def test_an_oscillator_of_any_legal_prices_stays_in_its_range(compute: Compute, bars: list[list[float]]) -> None:
    low, opened, close, high = np.array(bars).T
    found = compute(Candles.from_fields(opened, high, low, close, opened), BOUNDED, 5)
    # 100 * x / x may be one rounding off 100, and means of it another few.
    assert ((found >= 0.0) & (found <= 100.0 * (1.0 + 1e-14))).all(), found
