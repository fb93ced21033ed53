"""Estimates as the report shows them. NaN and infinity become null, because JSON has neither."""

from __future__ import annotations

import math
from typing import Any

from core.features.candles import Floats
from core.statistics import sequences
from core.statistics.sequences import Estimate

# Possible values of the estimated quantities; intervals are cut to them.
SHARE = (0.0, 1.0)
SHARE_DIFFERENCE = (-1.0, 1.0)
ANY = (-math.inf, math.inf)

# The largest standard deviation that a share can have. It is used in place of the measured one, which is zero while all
# candles so far are the same.
RATE = 0.5


def number(value: Floats | float) -> float | None:
    """The value as a float for JSON; None if it is not finite."""
    value = float(value)
    return value if math.isfinite(value) else None


def interval(estimate: Estimate, bounds: tuple[float, float]) -> list[float] | None:
    """Lower and upper end; None if no value has varied yet, because the error is then unknown."""
    middle, half = float(estimate.value), float(sequences.margin(estimate))
    if not (0 < half < math.inf and math.isfinite(middle)):
        return None
    return [max(middle - half, bounds[0]), min(middle + half, bounds[1])]


def estimate(estimate: Estimate, bounds: tuple[float, float]) -> dict[str, Any]:
    """An estimate with its interval and the number of different candle times behind it.

    valid: whether the interval counts already; False while there are too few times or units.
    """
    return {
        "estimate": number(estimate.value),
        "interval": interval(estimate, bounds),
        "candles": int(estimate.candles),
        "valid": bool(estimate.valid),
    }


def difference(of: Estimate, bounds: tuple[float, float]) -> dict[str, Any]:
    """A difference B - A, with its always-valid p-value."""
    found = estimate(of, bounds)
    p = None if found["interval"] is None else number(sequences.p_value(of))
    return {**found, "p_value": p}
