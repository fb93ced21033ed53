"""Windows of features from the extension are those of the catalogue, which has their definitions, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.features import catalogue, table
from core.features.candles import MAX_CANDLES, Candles, Floats
from core.features.compiled import OPERATIONS, is_compiled, program
from core.features.table import Table
from tests import market
from tests.core.features.computing import ALL, CLOCK
from tests.market import V30, V31
from tests.native_extension import built

COMPILED = [name for name in ALL if is_compiled(name)]


@pytest.fixture(autouse=True)
def extension(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "extension", built())


def by_definition(candles: Candles, names: list[str], rows: int) -> Floats:
    with np.errstate(all="ignore"):
        return catalogue.matrix(candles, names, rows)


def by_extension(candles: Candles, names: list[str], rows: int, among: int = 0) -> Floats:
    """The windows of the series, among so many others before it."""
    found = Table(names, rows)
    others = [market.candles(i, len(candles)) for i in range(among)]
    with np.errstate(all="ignore"):  # of features that are left to NumPy
        windows: Floats = found([*others, candles])[-1][:, found.columns(names)]
    return windows


def test_the_features_of_the_committed_detectors_are_compiled() -> None:
    assert not [name for name in (*V30, *V31) if not is_compiled(name)]
    assert not [name for name in CLOCK if is_compiled(name)]


def test_every_operation_is_one_of_the_catalogue() -> None:
    names = [name.replace("<n>", "7") for name in OPERATIONS if name != "field"]
    assert [name for name in names if is_compiled(name) and catalogue.is_known(name)] == names
    assert len(program(names, range(len(names)))) == 12 * len(names)


@st.composite
def series(draw: st.DrawFn, count: int) -> Candles:
    """Real hours, at any scale, with a stretch of one price, and with leaps."""
    start = draw(st.integers(0, 3000))
    values = market.candles(start, count).values * 10.0 ** draw(st.integers(-9, 9))
    at, width = draw(st.integers(0, count - 1)), draw(st.integers(0, 60))
    if draw(st.booleans()):
        values[:4, at : at + width] = values[3, at]
        values[4, at : at + width] = 0.0
    if draw(st.booleans()):
        values[:, at:] *= draw(st.sampled_from([1e-6, 3.0, 1e6]))
    return Candles(np.asfortranarray(values) if draw(st.booleans()) else values)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_they_are_equal_to_the_bit(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(COMPILED), min_size=1, max_size=12, unique=True) | st.just(COMPILED))
    rows = data.draw(st.integers(1, 90))
    count = catalogue.required_candles(names, rows) + data.draw(st.sampled_from([0, 1, 50, 900]))
    candles = data.draw(series(count))
    expected = by_definition(candles, names, rows)
    if rows > 1:
        np.testing.assert_array_equal(by_extension(candles, names, rows), expected)
        np.testing.assert_array_equal(by_extension(candles, names, rows, among=3), expected)
    else:
        np.testing.assert_allclose(by_extension(candles, names, rows), expected, rtol=1e-9, atol=1e-9)


def test_an_overflow_is_the_same() -> None:
    huge = np.full((5, 400), 1e308)
    huge[:4, ::2] = 1e-300
    names = [name for name in COMPILED if not catalogue.feature(name).slowest_ema]
    np.testing.assert_array_equal(by_extension(Candles(huge), names, 20), by_definition(Candles(huge), names, 20))


def test_features_that_it_does_not_have_are_computed_beside_it() -> None:
    names = ["log_returns", "ema_12", "efficiency_10", "rsi_14", "hour"]
    candles = Candles(market.candles(0, 90).values, tuple(np.arange(90) * 3.6e6))
    np.testing.assert_allclose(by_extension(candles, names, 20), by_definition(candles, names, 20), rtol=1e-12)


def test_a_series_longer_than_any_request_is_computed_without_it() -> None:
    candles = market.candles(0, MAX_CANDLES + 1)
    np.testing.assert_allclose(by_extension(candles, V30, 20), by_definition(candles, [*V30], 20), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", COMPILED)
def test_no_feature_reads_beyond_its_series(name: str) -> None:
    enough = catalogue.feature(name).look_back + 19
    out = np.empty((1, 20, 1))
    built().features(program([name], [0]), 20, 20, [np.ones((5, enough))], out)
    with pytest.raises(ValueError, match=r"program is wrong|enough bars"):
        built().features(program([name], [0]), 20, 20, [np.ones((5, enough - 1))], out)
