"""What a report says about time: the history of its estimate, and the days until it can be decided."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from core.experiments.experiment import Experiment, Micros
from core.experiments.look import Look, slot

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


def days_left(experiment: Experiment, more: float | None, times: int, now: Micros) -> float | None:
    """The days until `more` further candle times have come, at the rate of the `times` since the activation.

    None if the experiment does not run, or if the number of further times cannot be estimated. History that is
    replayed faster than the market gives fewer days, because the rate is that of the server's clock.
    """
    if experiment.status != "active" or experiment.activated_at is None or more is None or not times:
        return None
    left = max(more, 0.0) * max(now - experiment.activated_at, 0) / times / _DAY
    return left if math.isfinite(left) else None
