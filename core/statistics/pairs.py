"""Shadow mode: the comparison of both versions on the same candles."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.experiments.candle_table import CandleTable, Side
from core.features.candles import Floats
from core.features.labels import LONG, NONE, SHORT, UNKNOWN, Labels
from core.statistics import counts, formatting
from core.statistics.ratios import Sample, estimate, ratio
from core.statistics.times import CandleTimes

_SIGNALS = ("hold", "long", "short")


def pairs(
    table: CandleTable,
    times: CandleTimes,
    confidence_difference: dict[str, Any],
    disagreements: list[dict[str, Any]] | None,
) -> dict[str, Any]:
    """The report's `pairs`. `table[a][b]` is the number of candles on which A's signal was a and B's was b.

    disagreements: examples to show; None shows none.
    """
    paired = (table.a.predictions > 0) & (table.b.predictions > 0)
    a, b = _signals(table.a) * paired, _signals(table.b) * paired
    crossed = a @ b.T
    agreement = Sample((a * b).sum(axis=0), paired.astype(np.float64))
    found = {
        "candles": int(paired.sum()),
        "table": {
            name: {other: int(crossed[i, j]) for j, other in enumerate(_SIGNALS)} for i, name in enumerate(_SIGNALS)
        },
        "agreement": formatting.estimate(estimate(ratio(agreement, formatting.RATE), times), formatting.SHARE),
        "confidence_difference": confidence_difference,
        "mcnemar": _mcnemar(_right(a, table.label), _right(b, table.label), np.where(paired, table.label, UNKNOWN)),
    }
    return found if disagreements is None else found | {"disagreements": disagreements}


def _mcnemar(a: Floats, b: Floats, label: Labels) -> dict[str, Any]:
    """Which version was right on the labelled candles. Hold is right on a candle without a reversal."""
    known = label != UNKNOWN
    a_only, b_only = int((a * (1 - b))[known].sum()), int((b * (1 - a))[known].sum())
    return {
        "candles": int(known.sum()),
        "a_only_right": a_only,
        "b_only_right": b_only,
        "exact_p": counts.mcnemar(a_only, b_only),
        "sequential_p": counts.share_p_value(a_only, b_only, 0.5),
    }


def _signals(side: Side) -> Floats:
    """One row per signal, one column per candle, shape (3, n): 1 at the signal that was given, else 0."""
    return np.stack([side.holds, side.longs, side.shorts])


def _right(signals: Floats, label: Labels) -> Floats:
    answers: Floats = (signals * np.stack([label == NONE, label == LONG, label == SHORT])).sum(axis=0)
    return answers
