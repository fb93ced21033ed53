"""Stage 1's recall in an experiment: the share of labelled reversals that a version noticed, in any direction.

Reported outcomes cannot tell it, because a reversal that was missed is a hold, and a hold has no outcome.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from core.experiments.candle_table import CandleTable, Side
from core.experiments.experiment import Experiment
from core.statistics import formatting, samples, sequences
from core.statistics.ratios import estimate, ratio
from core.statistics.times import times_of


class Recall(NamedTuple):
    """Stage 1's recall of one version.

    share: the mean over the labelled reversals; a candle counts as the share of its predictions that noticed it.
    reversals: the candles labelled as reversals, with a known time and predictions of the version. upper: the upper end
    of the share's interval; None while there are too few candle times for it to count.
    """

    share: float
    reversals: int
    upper: float | None


def stage1_recall(experiment: Experiment, table: CandleTable, with_direction: Collection[str]) -> dict[str, Recall]:
    """Stage 1's recall by version. A version for which nothing tells it is missing.

    with_direction: the versions that are known to decide a direction. Only those answer each reversal that Stage 1
    finds with a signal; another version, which answers hold, is missing unless it signalled at least once.
    One version's predictions on one candle differ by the candles before it, not by user, so candles are the units.
    """
    timed = table.timed
    times = times_of(timed)
    found = {}
    for version, side in zip(experiment.versions, (timed.a, timed.b), strict=True):
        sample = samples.detection(side, timed)
        reversals = int(sample.present.sum())
        if reversals and (version in with_direction or _signals(side)):
            of = estimate(ratio(sample, formatting.RATE), times)
            upper = min(1.0, float(of.value + sequences.margin(of))) if bool(of.valid) else None
            found[version] = Recall(float(of.value), reversals, upper)
    return found


def _signals(side: Side) -> bool:
    return bool((side.longs + side.shorts).any())
