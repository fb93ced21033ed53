"""Numbers with as many digits as their interval supports."""

from __future__ import annotations

import math
from collections.abc import Sequence

_MINUS = "\N{MINUS SIGN}"


def decimals(half: float) -> int:
    """The decimals of two significant digits of half an interval; negative for tens and hundreds.

    A half of 0.034 has 3, one of 3.4 has 1, one of 34 has 0 and one of 340 has -1. A half of 9.96 counts as 10.
    """
    _, _, exponent = f"{half:.1e}".partition("e")
    return 1 - int(exponent)


def rounded(value: float, half: float | None, *, signed: bool = False) -> str:
    """The value, rounded to two significant digits of `half`, or of itself if `half` is None or no positive number.

    signed: also write the plus of a positive value.
    """
    if half is None or not 0 < half < math.inf:
        half = abs(value)
    places = decimals(half) if half > 0 else 0
    shown = round(value, places) + 0.0  # without the sign of a negative zero
    sign = _MINUS if shown < 0 else "+" if signed and shown > 0 else ""
    return f"{sign}{abs(shown):,.{max(places, 0)}f}"


def half_width(value: float, interval: Sequence[float] | None) -> float | None:
    """The distance from the value to the farther end of its interval; the nearer one may be cut off at a limit."""
    return None if interval is None else max(value - interval[0], interval[1] - value)
