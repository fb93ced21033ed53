"""Estimates of the report as text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from core.reports.page.rounding import half_width, rounded

# A report as its JSON has it. Fields of later releases may be there, so optional ones are read with `get`.
Report = Mapping[str, Any]

NOT_VALID = "not yet valid"


class Quantity(NamedTuple):
    """How a metric is shown. scale: from the report's number to the shown one."""

    name: str
    unit: str
    difference_unit: str
    scale: float


_PIPS = ("pips", "pips", 1.0)
_SHARE = ("%", "percentage points", 100.0)
QUANTITIES = {
    "win_rate": Quantity("win rate", *_SHARE),
    "mean_pnl": Quantity("P&L per trade", *_PIPS),
    "pnl_per_candle": Quantity("P&L per candle", *_PIPS),
    "hold_rate": Quantity("share of hold", *_SHARE),
    "confidence": Quantity("confidence", *_SHARE),
    "precision": Quantity("precision by labels", *_SHARE),
    "recall": Quantity("recall by labels", *_SHARE),
}


class Number(NamedTuple):
    """An estimate as text. interval is None if the error is not known; valid: whether the interval counts."""

    value: str
    interval: str | None
    valid: bool
    candles: int

    def __str__(self) -> str:
        if self.interval is None:
            return self.value
        return f"{self.value} ({self.interval}{'' if self.valid else f'; {NOT_VALID}'})"


def number(quantity: Quantity, found: Report, *, difference: bool = False) -> Number:
    """An estimate of the report; differences have a sign."""
    estimate, interval = found["estimate"], found["interval"]
    valid, candles = found.get("valid", True), found["candles"]
    if estimate is None:
        return Number("unknown", None, valid, candles)
    value, ends = estimate * quantity.scale, None if interval is None else [end * quantity.scale for end in interval]
    half = half_width(value, ends)
    unit = quantity.difference_unit if difference else quantity.unit
    shown = f"{rounded(value, half, signed=difference)} {unit}"
    if ends is None:
        return Number(shown, None, valid, candles)
    low, high = (rounded(end, half, signed=difference) for end in ends)
    return Number(shown, f"{low} to {high}", valid, candles)


def share(part: float) -> str:
    """A share in percent, to two significant digits."""
    return f"{rounded(100 * part, None)} %"


def day(instant: str | None) -> str:
    """The day of an instant, such as 3 October 2026."""
    if instant is None:
        return "unknown"
    at = datetime.fromisoformat(instant)
    return f"{at.day} {at:%B} {at.year}"


def minute(instant: str) -> str:
    """An instant to the minute, in UTC."""
    return f"{day(instant)}, {datetime.fromisoformat(instant):%H:%M} UTC"
