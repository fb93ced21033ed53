"""Two rules that label each bar as a reversal or not, from the bars after it.

A label is NONE, LONG (the market turns up) or SHORT (it turns down). If the label depends on bars outside the series,
it is UNKNOWN, never NONE; training and scores leave such bars out. Distances are in pips.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from core.features.candles import Candles, Floats

Labels: TypeAlias = NDArray[np.int8]

UNKNOWN, NONE, LONG, SHORT = -1, 0, 1, 2
PIP = 1e-4
_YEN_PIP = 1e-2


def pip_of(pair: str) -> float:
    """Return the size of a pip in the price of pair `XXX/YYY`: 0.01 if the price is in yen, else 0.0001."""
    return _YEN_PIP if pair.endswith("/JPY") else PIP


def in_pips(distance: Floats, pip: float = PIP) -> Floats:
    """Convert a price difference to pips. Quotes have tenths of a pip; rounding removes errors of binary fractions."""
    return np.round(distance / pip, 6)


def swing_points(candles: Candles, *, neighbours: int, min_move_pips: float) -> Labels:
    """Label the bars that are a local extreme from which the price then moves away; shape (n,).

    LONG: no low of the `neighbours` bars on each side is below the bar's low, and a high of the next `neighbours` bars
    is at least `min_move_pips` above it. SHORT is the mirror image. Of equal extremes, the first one counts. A bar that
    fits both has no direction and is UNKNOWN. The first and last `neighbours` bars are UNKNOWN as well.
    """
    low, high = _extremes(candles, neighbours, min_move_pips), _extremes(_mirror(candles), neighbours, min_move_pips)
    inner = np.select([low & high, low, high], [UNKNOWN, LONG, SHORT], NONE).astype(np.int8)
    return _place(len(candles), neighbours, inner)


def profitable_trades(  # noqa: PLR0913 - the rule's parameters, by name
    candles: Candles,
    *,
    horizon: int,
    min_profit_pips: float | Floats,
    max_loss_pips: float | Floats,
    min_ratio: float,
    pip: float = PIP,
) -> Labels:
    """Label the bars at which a trade would have paid within the next `horizon` bars, and its direction; shape (n,).

    A trade at close_t pays if, over the highs and lows of the next `horizon` bars, its best excursion is at least
    `min_profit_pips`, its worst is at most `max_loss_pips`, and best >= `min_ratio` * worst. If the price never goes
    against the trade, the worst excursion is 0 or negative, which satisfies the ratio. Both directions can pay only if
    `min_ratio` is at most 1 or a distance is 0; such a bar has no direction and is UNKNOWN.
    The two distances are numbers, or have one value for each bar, shape (n,). A bar with a NaN is UNKNOWN, and so are
    the last `horizon` bars.
    """
    long, short = _paying(candles, horizon, min_profit_pips, max_loss_pips, min_ratio, pip)
    unknown = _without_distance(candles, min_profit_pips, max_loss_pips)[: len(long)]
    return _place(len(candles), 0, np.select([unknown | (long & short), long, short], [UNKNOWN, LONG, SHORT], NONE))


def profitable_reversals(  # noqa: PLR0913 - the rule's parameters, by name
    candles: Candles,
    *,
    horizon: int,
    min_profit_pips: float | Floats,
    max_loss_pips: float | Floats,
    min_ratio: float,
    pip: float = PIP,
) -> Labels:
    """Label the bars at which a trade against the move of the last `horizon` bars would have paid; shape (n,).

    The candidate trade at close_t is LONG if close_t < close_(t - horizon), SHORT if close_t is above it, and NONE if
    they are equal. It pays as in profitable_trades; a trade along the move is NONE.
    The two distances are numbers, or have one value for each bar, shape (n,). A bar with a NaN is UNKNOWN, and so are
    the first and last `horizon` bars.
    """
    long, short = _paying(candles, horizon, min_profit_pips, max_loss_pips, min_ratio, pip)
    unknown = _without_distance(candles, min_profit_pips, max_loss_pips)[: len(long)]
    move = candles.close[horizon : len(long)] - candles.close[: max(len(long) - horizon, 0)]
    long, short, unknown = (each[horizon:] for each in (long, short, unknown))
    inner = np.select([unknown, (move < 0.0) & long, (move > 0.0) & short], [UNKNOWN, LONG, SHORT], NONE)
    return _place(len(candles), horizon, inner)


def _paying(  # noqa: PLR0913, PLR0917 - as its callers
    candles: Candles, horizon: int, profit: float | Floats, loss: float | Floats, min_ratio: float, pip: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether a long and a short trade pay, for each bar that has `horizon` later ones: shape (n - horizon,)."""
    bars = max(len(candles) - horizon, 0)
    if bars == 0:
        return np.empty(0, np.bool_), np.empty(0, np.bool_)
    entry = candles.close[:bars]
    rise = in_pips(sliding_window_view(candles.high[1:], horizon).max(axis=1) - entry, pip)
    fall = in_pips(entry - sliding_window_view(candles.low[1:], horizon).min(axis=1), pip)
    least, most = (np.broadcast_to(each, len(candles))[:bars] for each in (profit, loss))

    def pays(best: Floats, worst: Floats) -> NDArray[np.bool_]:
        enough: NDArray[np.bool_] = best >= least
        return enough & (worst <= most) & (best >= min_ratio * worst)

    return pays(rise, fall), pays(fall, rise)


def _without_distance(candles: Candles, profit: float | Floats, loss: float | Floats) -> NDArray[np.bool_]:
    """Whether a distance of a bar is NaN: shape (n,)."""
    return np.broadcast_to(np.isnan(profit) | np.isnan(loss), len(candles))


def _extremes(candles: Candles, neighbours: int, min_move_pips: float) -> NDArray[np.bool_]:
    """Find the swing lows among the bars that have `neighbours` bars on each side."""
    low = candles.low
    if len(low) <= 2 * neighbours:
        return np.empty(0, np.bool_)
    here = low[neighbours:-neighbours]
    before = sliding_window_view(low, neighbours)[: len(here)].min(axis=1)
    after = _ahead(low, neighbours).min(axis=1)
    move = in_pips(_ahead(candles.high, neighbours).max(axis=1) - here)
    lowest: NDArray[np.bool_] = (here < before) & (here <= after) & (move >= min_move_pips)
    return lowest


def _mirror(candles: Candles) -> Candles:
    """Turn the series upside down: the new lows are the negated highs."""
    return Candles.from_fields(-candles.open, -candles.low, -candles.high, -candles.close, candles.volume)


def _ahead(x: Floats, n: int) -> Floats:
    """The n values after each bar that has n bars on each side: shape (len(x) - 2n, n)."""
    return sliding_window_view(x[n + 1 :], n)


def _place(n: int, margin: int, inner: NDArray[np.integer[Any]]) -> Labels:
    """Labels of n bars: `inner` after a margin at the beginning, UNKNOWN everywhere else."""
    labels = np.full(n, UNKNOWN, np.int8)
    labels[margin : margin + len(inner)] = inner
    return labels
