"""What a report says about time: the history of its estimate, and the days until it can be decided."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from core.experiments.candle_table import CandleTable
from core.experiments.experiment import Experiment, Micros
from core.experiments.look import Look, slot
from core.features.timeframes import PERIODS

_DAY = 24 * 3600 * 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def look_at(experiment: Experiment, report: Mapping[str, Any], at: Micros) -> Look | None:
    """The look that a report gives; None if its metric has no estimate yet."""
    difference = report["differences"][experiment.metric]
    if difference["estimate"] is None:
        return None
    interval = difference["interval"]
    return Look(
        at=at,
        estimate=difference["estimate"],
        interval=None if interval is None else (interval[0], interval[1]),
        candles=difference["candles"],
        word=report["verdict"]["word"],
        valid=difference.get("valid", True),
    )


def is_due(experiment: Experiment, kept: Sequence[Look], at: Micros) -> bool:
    """Whether a look at this time would be kept: the experiment runs, and the slot has no look yet."""
    return experiment.status == "active" and (not kept or kept[-1].slot < slot(at))


def history(looks: Sequence[Look]) -> list[dict[str, Any]]:
    """The report's `history`, oldest first."""
    return [
        {
            "at": (_EPOCH + timedelta(microseconds=look.at)).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "estimate": look.estimate,
            "interval": None if look.interval is None else list(look.interval),
            "candles": look.candles,
            "word": look.word,
            "valid": look.valid,
        }
        for look in looks
    ]


def days_left(experiment: Experiment, more: float | None, table: CandleTable, now: Micros) -> float | None:
    """The days until `more` further candle times have come, at the rate of those in the table since the activation.

    None if the experiment does not run, or if the number of further times cannot be estimated. A replay of past candles
    is faster than the market, so each time takes at least a period of the shortest timeframe.
    """
    times = len(np.unique(table.timed.time))
    if experiment.status != "active" or experiment.activated_at is None or more is None or not times:
        return None
    period = min(PERIODS[timeframe] for _, timeframe in table.places) * 1_000
    left = max(more, 0.0) * max((now - experiment.activated_at) / times, period) / _DAY
    return left if math.isfinite(left) else None
