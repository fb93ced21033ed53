from __future__ import annotations

import numpy as np
import pytest

from core.features.candles import Candles
from core.features.labels import LONG, NONE, SHORT, UNKNOWN
from lab.history import History
from lab.labels import RULES, TripleBarrier, labels

# Fifteen bars from 99.5 to 100.5 have an ATR of 1.
QUIET = 15
HORIZON = 3


def series(*later: tuple[float, float]) -> Candles:
    """Quiet bars around 100, then bars with these highs and lows, which all close at 100."""
    high = np.array([100.5] * QUIET + [each[0] for each in later])
    low = np.array([99.5] * QUIET + [each[1] for each in later])
    flat = np.full(len(high), 100.0)
    return Candles.from_fields(flat, high, low, flat, np.ones(len(high)))


INSIDE = (100.5, 99.5)


@pytest.mark.parametrize(
    ("later", "label"),
    [
        ((INSIDE, INSIDE, INSIDE), NONE),
        ((INSIDE, (102.0, 99.5), INSIDE), LONG),
        ((INSIDE, (100.5, 98.0), INSIDE), SHORT),
        (((102.0, 99.5), (100.5, 98.0), INSIDE), LONG),
        (((100.5, 98.0), (102.0, 99.5), INSIDE), SHORT),
        (((102.0, 98.0), INSIDE, INSIDE), NONE),
        ((INSIDE, INSIDE, (101.99, 98.01)), NONE),
    ],
    ids=["neither", "upper", "lower", "upper first", "lower first", "both in one bar", "not quite"],
)
def test_triple_barrier_names_the_price_that_is_reached_first(
    later: tuple[tuple[float, float], ...], label: int
) -> None:
    found = TripleBarrier(HORIZON, 2.0).labels(series(*later), 1e-4)
    assert found[QUIET - 1] == label


def test_triple_barrier_is_unknown_where_bars_are_missing() -> None:
    found = TripleBarrier(HORIZON, 2.0).labels(series(*[INSIDE] * 6), 1e-4)
    assert (found[:14] == UNKNOWN).all()
    assert (found[-HORIZON:] == UNKNOWN).all()
    assert (found[14:-HORIZON] == NONE).all()
    assert (TripleBarrier(HORIZON, 2.0).labels(series(), 1e-4) == UNKNOWN).all()


def test_triple_barrier_is_unknown_without_an_atr() -> None:
    flat = np.full(40, 100.0)
    candles = Candles.from_fields(flat, flat, flat, flat, flat)
    assert (TripleBarrier(HORIZON, 2.0).labels(candles, 1e-4) == UNKNOWN).all()


@pytest.mark.parametrize("name", RULES)
def test_a_label_uses_the_bars_of_its_horizon_and_no_others(name: str, broker: list[History]) -> None:
    rule, part = RULES[name], broker[0].part(slice(2000, 2600))
    whole = labels(rule, part.candles, part.pair)
    assert set(whole.tolist()) <= {UNKNOWN, NONE, LONG, SHORT}
    assert 0.02 < np.mean(whole > 0) < 0.9
    for end in (300, 301, 450):
        cut = part.part(slice(0, end))
        found = labels(rule, cut.candles, part.pair)
        assert np.array_equal(found[: end - rule.horizon], whole[: end - rule.horizon])
        assert (found[end - rule.horizon :] == UNKNOWN).all()
