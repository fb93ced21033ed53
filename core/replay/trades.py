"""Trades that follow signals: entry, exit and result after costs. Nothing here sees a candle before its time.

A signal is known when its candle has closed, so the trade enters at the open of the next candle.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from core.experiments.label_rule import LabelRule, atr_in_pips
from core.features.candles import Floats
from core.features.labels import LONG, SHORT, in_pips
from core.replay.market import Market

# horizon: at the close of the rule's horizon. barriers: at the rule's profit or loss, if one is reached before that.
Exit: TypeAlias = Literal["horizon", "barriers"]


class Costs(NamedTuple):
    """What a trade costs, in pips: the spread once, and the slippage once, for entry and exit together."""

    spread: float = 0.8
    slippage: float = 0.0

    @property
    def pips(self) -> float:
        """Both together."""
        return self.spread + self.slippage


class Trades(NamedTuple):
    """The trades of one pair and version, in order of their signals; all columns have the shape (trades,).

    row: the signal's candle; the trade enters with the next one. last: the candle in which it ends. side: 1 for long,
    -1 for short. entry, exit: prices. pips: the result after costs. unit: the ATR of the signal's candle in pips; NaN
    where no price had moved.
    """

    row: NDArray[np.intp]
    last: NDArray[np.intp]
    side: Floats
    entry: Floats
    exit: Floats
    pips: Floats
    unit: Floats

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Trades:
        """Some of the trades."""
        return Trades(*(column[which] for column in self))  # type: ignore[arg-type]

    @property
    def atr(self) -> Floats:
        """The result in ATR."""
        found: Floats = self.pips / self.unit
        return found


def trades(market: Market, signal: NDArray[np.int8], rule: LabelRule, way_out: Exit, costs: Costs) -> Trades:
    """A trade for every signal among the market's rows whose horizon ends within the series.

    signal: by candle, as numbers of core.inference.history.
    """
    candles, pip, horizon = market.candles, market.pip, rule.horizon
    rows = np.arange(market.rows.start, min(market.rows.stop, len(candles) - horizon), dtype=np.intp)
    rows = rows[(signal[rows] == LONG) | (signal[rows] == SHORT)]
    side = np.where(signal[rows] == LONG, 1.0, -1.0)
    entry, last = candles.open[rows + 1], rows + horizon
    unit = atr_in_pips(candles, pip)[rows]
    if way_out == "barriers":
        last, moved = _barriers(market, rows, side, entry, *_distances(rule, unit), horizon)
    else:
        moved = in_pips(side * (candles.close[last] - entry), pip)
    return Trades(rows, last, side, entry, entry + side * moved * pip, moved - costs.pips, unit)


def _distances(rule: LabelRule, unit: Floats) -> tuple[Floats, Floats]:
    """The distances of profit and loss from the entry, in pips, as the label rule rounds them."""
    if rule.min_profit_pips is not None and rule.max_loss_pips is not None:
        return np.full(len(unit), rule.min_profit_pips), np.full(len(unit), rule.max_loss_pips)
    return np.round((rule.min_profit_atr or 0.0) * unit, 6), np.round((rule.max_loss_atr or 0.0) * unit, 6)


def _barriers(  # noqa: PLR0913, PLR0917 - one by one
    market: Market, rows: NDArray[np.intp], side: Floats, entry: Floats, profit: Floats, loss: Floats, horizon: int
) -> tuple[NDArray[np.intp], Floats]:
    """The candle in which each trade ends, and the pips that it moved until then.

    A candle that reaches both distances counts as the loss, because their order within it is unknown. A candle that
    opens beyond the loss ends the trade at its open, which is worse; beyond the profit, at the profit, no better.
    """
    if not len(rows):
        return rows, entry

    def ahead(prices: Floats) -> Floats:
        later = sliding_window_view(prices, horizon)[rows + 1]
        return in_pips(side[:, None] * (later - entry[:, None]), market.pip)

    opens, highs, lows, closes = map(ahead, market.candles.values[:4])
    lost, won = np.minimum(highs, lows) <= -loss[:, None], np.maximum(highs, lows) >= profit[:, None]
    touched = lost | won
    at = np.where(touched.any(axis=1), touched.argmax(axis=1), horizon - 1)
    each = np.arange(len(rows))
    choices = [np.minimum(-loss, opens[each, at]), profit]
    return rows + 1 + at, np.select([lost[each, at], won[each, at]], choices, closes[each, at])


def one_at_a_time(found: Trades) -> Trades:
    """The trades that are made if a pair has at most one position. A signal at the close of the last candle counts."""
    kept, free = [], -1
    for i, (row, last) in enumerate(zip(found.row.tolist(), found.last.tolist(), strict=True)):
        if row >= free:
            kept.append(i)
            free = last
    return found.chosen(np.array(kept, dtype=np.intp))


class Account(NamedTuple):
    """Positions candle by candle, shape (n,): the change of the account in pips and in ATR, and whether one is open."""

    pips: Floats
    atr: Floats
    open: NDArray[np.bool_]


def account_of(market: Market, positions: Trades, costs: Costs) -> Account:
    """What positions, one at a time, earn in each candle. The cost is paid with the entry."""
    close, count, pip = market.candles.close, len(market.candles), market.pip
    pips, atr, is_open = np.zeros(count), np.zeros(count), np.zeros(count, np.bool_)
    for row, last, side, entry, price, _, unit in zip(*(column.tolist() for column in positions), strict=True):
        marks = np.concatenate(([entry], close[row + 1 : last], [price]))
        steps = side * np.diff(marks) / pip
        steps[0] -= costs.pips
        pips[row + 1 : last + 1] += steps
        if unit > 0:  # false for NaN
            atr[row + 1 : last + 1] += steps / unit
        is_open[row + 1 : last + 1] = True
    return Account(pips, atr, is_open)
