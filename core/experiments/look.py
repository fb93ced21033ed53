"""A look: what an experiment's report said about its metric at one time."""

from __future__ import annotations

import msgspec

from core.experiments.experiment import Micros

# Of the looks within one slot only the first is kept, whichever replica took it.
SLOT_MICROS = 15 * 60 * 1_000_000


class Look(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The difference B - A of the metric with its interval, and the word of the verdict.

    interval: None if the error was not known. valid: whether the interval counted; false below the minimum of results.
    """

    at: Micros
    estimate: float
    interval: tuple[float, float] | None = None
    candles: int
    word: str
    valid: bool = True

    @property
    def slot(self) -> int:
        """The number of its slot since 1970."""
        return slot(self.at)


def slot(at: Micros) -> int:
    """The number of the slot of a time."""
    return at // SLOT_MICROS
