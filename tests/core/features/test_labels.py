"""The label rules on small series: closes in pips around 1.1, highs `up` above and lows `down` below them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from core.features.candles import Candles
from core.features.labels import LONG, NONE, SHORT, UNKNOWN, profitable_reversals, profitable_trades, swing_points


def series(pips: list[float], up: float = 1.0, down: float = 1.0) -> Candles:
    close, high, low = (np.round(1.1 + (np.array(pips) + reach) * 1e-4, 5) for reach in (0.0, up, -down))
    return Candles.from_fields(close, high, low, close, np.zeros(len(pips)))


def mirrored(candles: Candles) -> Candles:
    """Mirror the series at 1.1: a rule must answer SHORT for the mirror image of a LONG."""
    opens, high, low, close = (np.round(2.2 - x, 5) for x in (candles.open, candles.low, candles.high, candles.close))
    return Candles.from_fields(opens, high, low, close, candles.volume)


swing = partial(swing_points, neighbours=3, min_move_pips=10.0)
VALLEY = [9.0, 6.0, 3.0, 0.0, 3.0, 6.0, 8.0]


def test_swing_low_followed_by_a_move_is_long() -> None:
    # The move from the low at -1 to the high at 9 pips is exactly the minimum of 10.
    assert swing(series(VALLEY)).tolist() == [UNKNOWN] * 3 + [LONG] + [UNKNOWN] * 3


def test_swing_high_followed_by_a_move_is_short() -> None:
    assert swing(mirrored(series(VALLEY))).tolist() == [UNKNOWN] * 3 + [SHORT] + [UNKNOWN] * 3


def test_swing_followed_by_too_small_a_move_is_none() -> None:
    assert swing(series([*VALLEY[:-1], 7.9]))[3] == NONE


def test_move_after_the_horizon_does_not_count() -> None:
    assert swing(series([9.0, 6.0, 3.0, 0.0, 3.0, 3.0, 3.0, 20.0]))[3] == NONE


@pytest.mark.parametrize("lower", [0, 1, 2, 4, 5, 6])
def test_bar_with_a_lower_low_on_either_side_is_no_swing(lower: int) -> None:
    pips = list(VALLEY)
    pips[lower] = -1.0
    assert swing(series(pips, up=20.0))[3] == NONE


def test_lower_low_beyond_the_neighbours_does_not_matter() -> None:
    assert swing(series([-9.0, *VALLEY, -9.0]))[4] == LONG


def test_first_of_equal_swing_lows_counts() -> None:
    labels = swing(series([9.0, 6.0, 3.0, 0.0, 0.0, 6.0, 9.0, 9.0]))
    assert labels[3:5].tolist() == [LONG, NONE]


def test_bar_that_is_both_extremes_has_no_direction() -> None:
    candles = series([0.0] * 7)
    candles.high[3] += 20e-4
    candles.low[3] -= 20e-4
    assert swing(candles)[3] == UNKNOWN


@pytest.mark.parametrize("bars", [0, 1, 3, 6])
def test_swing_rule_gives_unknown_for_a_series_shorter_than_both_sides(bars: int) -> None:
    assert swing(series(VALLEY[:bars])).tolist() == [UNKNOWN] * bars


# Before bar 2, the price falls for two bars. The next two bars decide: with a high of 6 and a low of -4, the ratio is
# exactly 1.5.
trade = partial(profitable_reversals, horizon=2, min_profit_pips=6.0, max_loss_pips=5.0, min_ratio=1.5)
FALL = [4.0, 2.0, 0.0]


def test_trade_against_a_fall_that_pays_is_long() -> None:
    assert trade(series([*FALL, -3.0, 5.0])).tolist() == [UNKNOWN, UNKNOWN, LONG, UNKNOWN, UNKNOWN]


def test_trade_against_a_rise_that_pays_is_short() -> None:
    assert trade(mirrored(series([*FALL, -3.0, 5.0]))).tolist() == [UNKNOWN, UNKNOWN, SHORT, UNKNOWN, UNKNOWN]


def test_profitable_trade_along_the_move_is_none() -> None:
    assert trade(series([4.0, 2.0, 0.0, -20.0, -40.0]))[2] == NONE


def test_price_that_has_not_moved_has_no_candidate() -> None:
    assert trade(series([0.0, 9.0, 0.0, 0.0, 20.0]))[2] == NONE


def test_too_small_a_profit_is_none() -> None:
    assert trade(series([*FALL, 0.0, 4.9]))[2] == NONE


@pytest.mark.parametrize(("worst", "label"), [(-4.0, LONG), (-4.1, NONE)])
def test_too_large_a_loss_is_none_even_at_a_good_ratio(worst: float, label: int) -> None:
    assert trade(series([*FALL, worst, 40.0]))[2] == label


@pytest.mark.parametrize(("best", "label"), [(5.0, LONG), (4.9, NONE)])
def test_ratio_below_the_minimum_is_none(best: float, label: int) -> None:
    assert trade(series([*FALL, -3.0, best]), min_profit_pips=1.0)[2] == label


def test_trade_that_never_loses_passes_the_ratio() -> None:
    assert trade(series([*FALL, 3.0, 5.0], down=0.0))[2] == LONG


def test_excursions_end_with_the_horizon() -> None:
    assert trade(series([*FALL, 0.0, 0.0, 20.0]))[2] == NONE


def test_excursions_begin_after_the_bar_itself() -> None:
    candles = series([*FALL, 0.0, 0.0])
    candles.high[2] += 20e-4
    assert trade(candles)[2] == NONE


@pytest.mark.parametrize("bars", [0, 1, 4])
def test_profit_rule_gives_unknown_for_a_series_shorter_than_both_sides(bars: int) -> None:
    assert trade(series([*FALL, 0.0][:bars])).tolist() == [UNKNOWN] * bars


def test_distances_of_each_bar_give_the_labels_of_that_bar() -> None:
    random = np.random.default_rng(5)
    candles = series(np.cumsum(random.normal(0, 6, 300)).tolist())
    one = trade(candles, min_profit_pips=6.0, max_loss_pips=5.0)
    other = trade(candles, min_profit_pips=12.0, max_loss_pips=20.0)
    assert not np.array_equal(one, other)
    even = np.arange(300) % 2 == 0
    mixed = trade(candles, min_profit_pips=np.where(even, 6.0, 12.0), max_loss_pips=np.where(even, 5.0, 20.0))
    assert mixed.tolist() == np.where(even, one, other).tolist()


@pytest.mark.parametrize("which", [0, 1])
def test_a_bar_without_a_distance_is_unknown(which: int) -> None:
    distances = [np.full(6, 6.0), np.full(6, 6.0)]
    distances[which][2] = np.nan
    found = trade(series([*FALL, -3.0, 5.0, 5.0]), min_profit_pips=distances[0], max_loss_pips=distances[1])
    assert found.tolist() == [UNKNOWN, UNKNOWN, UNKNOWN, LONG, UNKNOWN, UNKNOWN]


either = partial(profitable_trades, horizon=2, min_profit_pips=6.0, max_loss_pips=5.0, min_ratio=1.5)


def test_a_trade_that_pays_counts_whatever_the_price_did_before() -> None:
    for before in ([9.0, 4.0], [-9.0, -4.0], [0.0, 0.0]):
        candles = series([*before, 0.0, -3.0, 5.0])
        assert either(candles)[2] == LONG
        assert either(mirrored(candles))[2] == SHORT


def test_either_rule_labels_the_first_bars_but_not_the_last() -> None:
    assert either(series([0.0, -3.0, 5.0])).tolist() == [LONG, UNKNOWN, UNKNOWN]
    assert either(series([0.0, 0.0])).tolist() == [UNKNOWN, UNKNOWN]
    assert either(series([0.0, 0.0, 0.0])).tolist() == [NONE, UNKNOWN, UNKNOWN]


def test_a_bar_at_which_both_directions_pay_has_no_direction() -> None:
    wide = series([0.0, 4.0, -4.0], up=3.0, down=3.0)
    assert either(wide, max_loss_pips=9.0, min_ratio=1.0)[0] == UNKNOWN
    assert either(wide, max_loss_pips=9.0)[0] == NONE


def test_reversals_are_the_trades_against_the_move() -> None:
    random = np.random.default_rng(7)
    candles = series(np.cumsum(random.normal(0, 4, 2000)).tolist())
    reversals, trades = trade(candles)[2:-2], either(candles)[2:-2]
    move = candles.close[2:-2] - candles.close[:-4]
    against = np.where(move < 0.0, LONG, SHORT)
    assert {LONG, SHORT, NONE} == set(reversals.tolist())
    assert reversals.tolist() == np.where((trades == against) & (move != 0.0), trades, NONE).tolist()


def test_either_rule_has_no_label_without_a_distance() -> None:
    distances = np.array([6.0, np.nan, 6.0, 6.0])
    assert either(series([0.0, 0.0, 0.0, 0.0]), min_profit_pips=distances).tolist() == [NONE, *[UNKNOWN] * 3]
