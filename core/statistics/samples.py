"""Samples of a variant's metrics: a numerator and a denominator per candle.

The variant's predictions on one candle are averaged, so that a million users on one candle weigh as one candle.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.experiments.candle_table import CandleTable, Side, UnitMetric, Units
from core.experiments.experiment import Metric, Variant
from core.features.candles import Floats
from core.features.labels import LONG, SHORT, UNKNOWN, Labels
from core.statistics.ratios import Sample

# The source of results: outcomes that the client reported, or labels that `evaluate` found by its rule.
Source: TypeAlias = Literal["reported", "labels"]
SOURCES: tuple[Source, Source] = ("reported", "labels")


class Results(NamedTuple):
    """The samples of an outcome metric for both variants, from one source."""

    a: Sample
    b: Sample
    source: Source


def hold_rate(side: Side) -> Sample:
    """Share of hold among the predictions."""
    return mean(side.holds, side.predictions)


def confidence(side: Side) -> Sample:
    """Mean confidence."""
    return mean(side.confidence, side.predictions)


def squared_confidence(side: Side) -> Sample:
    """Mean square of the confidence."""
    return mean(side.confidence_squares, side.predictions)


def win_rate(side: Side, table: CandleTable, source: Source) -> Sample:
    """Wins among trades. Neutral outcomes do not count, and neither does hold, which is no trade."""
    if source == "reported":
        return mean(side.wins, side.wins + side.losses)
    known = table.label != UNKNOWN
    return Sample(_share(_right(side, table.label), side.predictions), _share(_trades(side) * known, side.predictions))


def mean_pnl(side: Side, table: CandleTable, source: Source) -> Sample:
    """Mean pips per trade. By label, a trade earns the move from the candle's close to the rule's horizon."""
    if source == "reported":
        return mean(side.pnl, side.pnl_count)
    known = table.label != UNKNOWN
    move = np.where(known, table.move_pips, 0.0)
    earned = (side.longs - side.shorts) * move
    return Sample(_share(earned, side.predictions), _share(_trades(side) * known, side.predictions))


def pnl_per_candle(side: Side, table: CandleTable, source: Source) -> Sample:
    """Pips of a candle's average prediction, in which a hold earns 0. Each candle has the weight 1.

    A candle counts if it has a label, or if at least one of its predictions is a hold or has a reported P&L. Trades
    without a reported P&L are left out of its average.
    """
    if source == "reported":
        return mean(side.pnl, side.holds + side.pnl_count)
    known = (table.label != UNKNOWN) & (side.predictions > 0)
    return Sample(mean_pnl(side, table, source).numerator, known.astype(np.float64))


def results_per_candle(table: CandleTable, source: Source, *, paired: bool, units: Units | None = None) -> Results:
    """The samples of `pnl_per_candle` for both variants; `paired` keeps only candles that count for both."""
    a, b = (pnl_per_candle(side, table, source) for side in (table.a, table.b))
    if paired:
        known = a.present & b.present
        a, b = (Sample(sample.numerator * known, sample.denominator * known) for sample in (a, b))
    name: UnitMetric = "pnl_per_candle_reported" if source == "reported" else "pnl_per_candle_labels"
    return Results(by_unit(a, units, name, "A"), by_unit(b, units, name, "B"), source)


def precision(side: Side, table: CandleTable) -> Sample:
    """The share of trades on labelled candles that have the direction of the label."""
    return win_rate(side, table, "labels")


def recall(side: Side, table: CandleTable) -> Sample:
    """The share of labelled reversals that were signalled in their direction."""
    reversal = (table.label == LONG) | (table.label == SHORT)
    return mean(_right(side, table.label), side.predictions * reversal)


def detection(side: Side, table: CandleTable) -> Sample:
    """The share of labelled reversals that were signalled in any direction: what Stage 1 alone decides."""
    reversal = (table.label == LONG) | (table.label == SHORT)
    return mean(_trades(side), side.predictions * reversal)


OUTCOME_METRICS = {"win_rate": win_rate, "mean_pnl": mean_pnl}


def results(
    table: CandleTable, metric: Metric, *, paired: bool, units: Units | None = None, source: Source | None = None
) -> Results:
    """The samples of an outcome metric for both variants, from this source, else from the one that covers more candles.

    A source is rated by the variant for which it covers fewer candles. Both variants use the same source, because
    results of different sources do not compare. `paired` keeps only candles on which both results are known. The result
    of a hold is always known, because it is no trade.
    """
    candidates = SOURCES if source is None else (source,)
    a, b, source = max((_results_of(table, metric, one, paired=paired) for one in candidates), key=_coverage)
    name = unit_metric(metric, source)
    return Results(by_unit(a, units, name, "A"), by_unit(b, units, name, "B"), source)


def by_unit(sample: Sample, units: Units | None, metric: UnitMetric, variant: Variant) -> Sample:
    """The sample with its sums by unit, if there are units."""
    return sample._replace(units=units[metric][variant]) if units else sample


def with_data(table: CandleTable) -> set[UnitMetric]:
    """The metrics for which there are data, so that the sums by unit of the others need not be computed."""
    found: set[UnitMetric] = {"hold_rate", "confidence"}
    if (table.label != UNKNOWN).any():
        found |= {"win_rate_labels", "mean_pnl_labels", "pnl_per_candle_labels", "recall"}
    if any((side.wins + side.losses + side.neutrals).any() for side in (table.a, table.b)):
        found |= {"win_rate_reported", "reporting_rate"}
    if any(side.pnl_count.any() for side in (table.a, table.b)):
        found |= {"mean_pnl_reported", "pnl_per_candle_reported"}
    return found


def unit_metric(metric: Metric, source: Source) -> UnitMetric:
    """The name of an outcome metric from a source, among the sums by unit."""
    if metric == "win_rate":
        return "win_rate_reported" if source == "reported" else "win_rate_labels"
    return "mean_pnl_reported" if source == "reported" else "mean_pnl_labels"


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
    """The candles on which the results of a side's trades are known, or on which it made none."""
    if source == "labels":
        known: NDArray[np.bool_] = (table.label != UNKNOWN) & (side.predictions > 0)
        return known
    ended = side.pnl_count if metric == "mean_pnl" else side.wins + side.losses + side.neutrals
    reported: NDArray[np.bool_] = (side.holds + ended) > 0
    return reported


def _trades(side: Side) -> Floats:
    return side.longs + side.shorts


def _right(side: Side, label: Labels) -> Floats:
    """The number of predictions that signal the reversal of the label."""
    right: Floats = side.longs * (label == LONG) + side.shorts * (label == SHORT)
    return right


def mean(total: Floats, count: Floats) -> Sample:
    """The mean over the predictions of each candle; each candle has the weight 1."""
    return Sample(_share(total, count), (count > 0).astype(np.float64))


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros(np.broadcast_shapes(part.shape, whole.shape)), where=whole > 0)
