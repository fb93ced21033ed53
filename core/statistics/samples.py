"""What each candle says about a variant: numerators and denominators of its metrics.

On a candle the variant's predictions are averaged, so that a million users on one candle weigh as one candle.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.experiments.candle_table import CandleTable, Side
from core.experiments.experiment import Metric
from core.features.candles import Floats
from core.features.labels import LONG, SHORT, UNKNOWN, Labels
from core.statistics.ratios import Sample

# Whether results are those that the client reported, or those that `evaluate` found by its rule.
Source: TypeAlias = Literal["reported", "labels"]
SOURCES: tuple[Source, Source] = ("reported", "labels")


class Results(NamedTuple):
    """Both sides' samples of an outcome metric, of one source."""

    a: Sample
    b: Sample
    source: Source


def hold_rate(side: Side) -> Sample:
    """Share of hold."""
    return _mean(side.holds, side.predictions)


def confidence(side: Side) -> Sample:
    """Mean confidence."""
    return _mean(side.confidence, side.predictions)


def squared_confidence(side: Side) -> Sample:
    """Mean square of the confidence."""
    return _mean(side.confidence_squares, side.predictions)


def win_rate(side: Side, table: CandleTable, source: Source) -> Sample:
    """Wins among trades. Neutral outcomes are left out, and so is hold, which is no trade."""
    if source == "reported":
        return _mean(side.wins, side.wins + side.losses)
    known = table.label != UNKNOWN
    return Sample(_share(_right(side, table.label), side.predictions), _share(_trades(side) * known, side.predictions))


def mean_pnl(side: Side, table: CandleTable, source: Source) -> Sample:
    """Pips a trade. By label it earns the move from the candle's close to the rule's horizon, in its direction."""
    if source == "reported":
        return _mean(side.pnl, side.pnl_count)
    known = table.label != UNKNOWN
    move = np.where(known, table.move_pips, 0.0)
    earned = (side.longs - side.shorts) * move
    return Sample(_share(earned, side.predictions), _share(_trades(side) * known, side.predictions))


def precision(side: Side, table: CandleTable) -> Sample:
    """Trades on labelled candles whose direction is the label, among all of them."""
    return win_rate(side, table, "labels")


def recall(side: Side, table: CandleTable) -> Sample:
    """Labelled reversals that were signalled in their direction, among all of them."""
    reversal = (table.label == LONG) | (table.label == SHORT)
    return _mean(_right(side, table.label), side.predictions * reversal)


OUTCOME_METRICS = {"win_rate": win_rate, "mean_pnl": mean_pnl}


def results(table: CandleTable, metric: Metric, *, paired: bool) -> Results:
    """Both sides of an outcome metric, from the source that has more candles on the side that has fewer.

    One source for both: a variant whose users report more often would otherwise be measured by another rule. `paired`
    keeps the candles on which both sides' results are known; those of a hold are: it is no trade.
    """
    both = [_results_of(table, metric, source, paired=paired) for source in SOURCES]
    return max(both, key=_coverage)


def _coverage(candidate: Results) -> tuple[int, int]:
    counts = [int(candidate.a.present.sum()), int(candidate.b.present.sum())]
    return min(counts), max(counts)


def _results_of(table: CandleTable, metric: Metric, source: Source, *, paired: bool) -> Results:
    a, b = (OUTCOME_METRICS[metric](side, table, source) for side in (table.a, table.b))
    if not paired:
        return Results(a, b, source)
    known = _known(table.a, table, metric, source) & _known(table.b, table, metric, source)
    return Results(
        Sample(a.numerator * known, a.denominator * known), Sample(b.numerator * known, b.denominator * known), source
    )


def _known(side: Side, table: CandleTable, metric: Metric, source: Source) -> NDArray[np.bool_]:
    """Where it is known how a side's prediction ended, if it was a trade at all."""
    if source == "labels":
        known: NDArray[np.bool_] = (table.label != UNKNOWN) & (side.predictions > 0)
        return known
    ended = side.pnl_count if metric == "mean_pnl" else side.wins + side.losses + side.neutrals
    over: NDArray[np.bool_] = (side.holds + ended) > 0
    return over


def _trades(side: Side) -> Floats:
    return side.longs + side.shorts


def _right(side: Side, label: Labels) -> Floats:
    """How many predictions named the reversal that the label says."""
    right: Floats = side.longs * (label == LONG) + side.shorts * (label == SHORT)
    return right


def _mean(total: Floats, count: Floats) -> Sample:
    """A mean over predictions on each candle, each candle weighing one."""
    return Sample(_share(total, count), (count > 0).astype(np.float64))


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros(np.broadcast_shapes(part.shape, whole.shape)), where=whole > 0)
