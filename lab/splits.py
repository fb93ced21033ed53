"""Splits by time over all pairs at once. No label of a training bar reaches into the part after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lab.panel import Mask, Panel

# The year that no choice has seen: not the search, not the threshold, not the temperature.
UNTOUCHED = 2020
# The year on which the threshold and the temperature of v3.2 are chosen.
VALIDATION = UNTOUCHED - 1
# The years that the search scores its trials on.
FOLDS = (2017, 2018)
# Left out of a second training, to see how a detector does on pairs that it has not seen. Neither follows from the
# others, as AUD/JPY would from AUD/USD and USD/JPY.
LEFT_OUT = ("USD/CAD", "USD/CHF")


class Split(NamedTuple):
    """The rows of each part, bool (n,) each. The parts follow each other in time, in this order."""

    train: Mask
    validation: Mask
    test: Mask


def expanding(panel: Panel, year: int, *, validation: bool = True) -> Split:
    """Test on one year and train on all years before it; the last of those is validation, if wanted.

    At the end of each part but the last one, `panel.horizon` bars of each pair are left out (the embargo): their labels
    depend on bars of the next part.
    """
    years = panel.times.astype("datetime64[Y]").astype(int) + 1970
    first = year - 1 if validation else year
    parts = (years < first, (years >= first) & (years < year), years == year)
    return Split(_without_tail(panel, parts[0]), _without_tail(panel, parts[1]), parts[2])


def of_pairs(panel: Panel, pairs: Sequence[str]) -> Mask:
    """The rows of these pairs."""
    return np.isin(panel.pair, [panel.pairs.index(pair) for pair in pairs])


def _without_tail(panel: Panel, part: Mask) -> Mask:
    """The part without the last `horizon` rows of each pair."""
    kept = part.copy()
    for later in range(1, panel.horizon + 1):
        # Rows whose `later`-th successor is another pair's, or beyond the part.
        follows = (panel.pair[later:] == panel.pair[:-later]) & part[later:]
        kept[:-later] &= follows
        kept[-later:] = False
    return kept
