from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.experiments.label_rule import LabelRule, atr_in_pips
from core.features.candles import Candles
from core.features.labels import LONG, NONE, SHORT, UNKNOWN
from core.replay.market import Market
from core.replay.trades import Costs, Exit, account_of, one_at_a_time, trades
from tests.core.replay.markets import HOUR, changed_after, market

RULE = LabelRule(horizon=3, min_profit_pips=10.0, max_loss_pips=5.0, min_ratio=1.5)
FREE = Costs(0.0, 0.0)


def bars(*rows: tuple[float, float, float, float], pair: str = "EUR/USD") -> Market:
    """Candles in pips above 1.1: open, high, low, close; 15 flat ones before them."""
    base, pip = (110.0, 0.01) if pair.endswith("JPY") else (1.1, 0.0001)
    values = base + np.array([(0.0, 1.0, -1.0, 0.0)] * 15 + list(rows)).T * pip
    count = 15 + len(rows)
    times = np.array([HOUR * hour for hour in range(count)])
    return Market(pair, Candles(np.vstack([values, np.zeros(count)]), times), range(count))


def signals(of: Market, **at: int) -> NDArray[np.int8]:
    """Hold everywhere except at the given candles after the flat ones: c0=LONG."""
    found = np.full(len(of.candles), NONE, np.int8)
    for name, code in at.items():
        found[15 + int(name[1:])] = code
    return found


def test_a_trade_enters_at_the_next_open_and_ends_at_the_close_of_the_horizon() -> None:
    of = bars((0, 2, -2, 1), (3, 9, 2, 8), (8, 9, 5, 6), (6, 20, 4, 15), (15, 16, 14, 15))
    (row,), (last,), (side,), (entry,), (price,), (pips,), (unit,) = trades(
        of, signals(of, c0=LONG), RULE, "horizon", Costs(0.8, 0.1)
    )
    assert (row, last, side) == (15, 18, 1.0)
    assert (entry, price) == pytest.approx((1.1003, 1.1015))
    assert pips == pytest.approx(12 - 0.9)
    assert unit == pytest.approx(atr_in_pips(of.candles, of.pip)[15])
    short = trades(of, signals(of, c0=SHORT), RULE, "horizon", Costs(0.8, 0.1))
    assert short.pips == pytest.approx([-12 - 0.9])
    assert short.atr == pytest.approx(short.pips / unit)


def test_a_pip_of_yen_is_larger() -> None:
    of = bars((0, 2, -2, 1), (3, 9, 2, 8), (8, 9, 5, 6), (6, 20, 4, 15), pair="USD/JPY")
    assert trades(of, signals(of, c0=LONG), RULE, "horizon", Costs()).pips == pytest.approx([12 - 0.8])


def test_a_signal_without_its_horizon_or_outside_the_rows_has_no_trade() -> None:
    of = bars(*[(0.0, 1.0, -1.0, 0.0)] * 6)
    found = trades(of, np.full(21, LONG, np.int8), RULE, "horizon", FREE)
    assert found.row.tolist() == list(range(18))
    some = trades(of._replace(rows=range(16, 18)), np.full(21, LONG, np.int8), RULE, "horizon", FREE)
    assert some.row.tolist() == [16, 17]
    assert len(trades(of, np.full(21, UNKNOWN, np.int8), RULE, "barriers", FREE).row) == 0


@pytest.mark.parametrize(
    ("path", "pips", "last"),
    [
        ([(0, 4, -4, 2), (2, 11, 1, 8), (8, 9, 7, 8)], 10, 2),  # the profit
        ([(0, 4, -5, 2), (2, 11, 1, 8), (8, 9, 7, 8)], -5, 1),  # the loss, exactly touched
        ([(0, 10, -5, 2), (2, 3, 1, 2), (2, 3, 1, 2)], -5, 1),  # both in one candle: the loss
        ([(0, 4, -4, 2), (-9, -8, -12, -9), (2, 11, 1, 8)], -9, 2),  # opens beyond the loss
        ([(0, 4, -4, 2), (14, 15, 13, 14), (2, 11, 1, 8)], 10, 2),  # opens beyond the profit
        ([(0, 4, -4, 2), (2, 5, 1, 3), (3, 6, 2, 4)], 4, 3),  # neither
    ],
)
@pytest.mark.parametrize("side", [LONG, SHORT])
def test_barriers(path: list[tuple[float, float, float, float]], pips: float, last: int, side: int) -> None:
    if side == SHORT:  # the mirror image
        path = [(-o, -low, -high, -c) for o, high, low, c in path]
    of = bars((0, 1, -1, 0), *path)
    found = trades(of, signals(of, c0=side), RULE, "barriers", FREE)
    assert found.pips == pytest.approx([pips])
    assert found.last.tolist() == [15 + last]


def test_barriers_in_atr_are_those_of_the_signals_candle() -> None:
    of = bars((0, 1, -1, 0), (0, 3, -1, 1), (0, 3.1, -1, 1), (0, 1, -1, 0))
    rule = LabelRule(horizon=3, min_profit_atr=1.5, max_loss_atr=2.5, min_ratio=1.5)
    found = trades(of, signals(of, c0=LONG), rule, "barriers", FREE)
    assert found.unit == pytest.approx([2.0])
    assert (found.pips.tolist(), found.last.tolist()) == (pytest.approx([3.0]), [16])


def test_one_position_at_a_time_and_its_account() -> None:
    of = market(400)
    rng = np.random.default_rng(3)
    signal = rng.choice(np.array([NONE, LONG, SHORT], np.int8), size=400)
    every = trades(of, signal, RULE, "barriers", Costs())
    taken = one_at_a_time(every)
    assert 0 < len(taken.row) < len(every.row)
    assert (taken.row[1:] >= taken.last[:-1]).all()
    # A signal that was left out came while a position was open.
    for row in set(every.row.tolist()) - set(taken.row.tolist()):
        assert ((taken.row < row) & (row < taken.last)).any()
    account = account_of(of, taken, Costs())
    assert account.pips.sum() == pytest.approx(taken.pips.sum())
    assert account.atr.sum() == pytest.approx(np.nansum(taken.atr))
    assert account.open.sum() == (taken.last - taken.row).sum()
    assert not account.pips[~account.open].any()


def test_an_account_is_valued_at_each_close() -> None:
    of = bars((0, 2, -2, 1), (3, 9, 2, 8), (8, 9, 5, 6), (6, 20, 4, 15), (15, 16, 14, 15))
    found = account_of(of, trades(of, signals(of, c0=LONG), RULE, "horizon", Costs(1.0)), Costs(1.0))
    assert found.pips[15:] == pytest.approx([0.0, 8 - 3 - 1, -2.0, 9.0, 0.0])
    assert found.open[15:].tolist() == [False, True, True, True, False]


@pytest.mark.parametrize("way_out", ["horizon", "barriers"])
def test_a_trade_uses_only_candles_after_its_signal_and_up_to_its_end(way_out: Exit) -> None:
    of, at = market(500), 300
    signal = np.where(np.arange(500) % 2 == 0, LONG, SHORT).astype(np.int8)
    found = trades(of, signal, RULE, way_out, Costs())
    assert (found.entry == of.candles.open[found.row + 1]).all()
    assert (found.last > found.row).all()
    other = trades(of._replace(candles=changed_after(of.candles, at)), signal, RULE, way_out, Costs())
    ended = found.last <= at
    for one, same in zip(found.chosen(ended), other.chosen(other.last <= at), strict=True):
        assert one.tobytes() == same.tobytes()
    later = found.row >= at
    assert not np.allclose(found.entry[later], other.entry[other.row >= at])
