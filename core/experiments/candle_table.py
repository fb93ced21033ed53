"""The data of an experiment's report: a table with one row per candle, and totals per variant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from core.experiments.experiment import Variant
from core.features.candles import Floats
from core.features.labels import Labels
from core.features.timeframes import PERIODS

# Which rows: a mask, or their indices in the wanted order.
Rows: TypeAlias = NDArray[np.bool_] | NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Side:
    """One variant's sums over its predictions on each candle, without fallbacks; float64, shape (n,).

    confidence, confidence_squares: sums over predictions. wins, losses, neutrals: counts of reported outcomes.
    pnl: the sum of reported P&L in pips. pnl_count: the number of outcomes with a P&L.
    """

    predictions: Floats
    holds: Floats
    longs: Floats
    shorts: Floats
    confidence: Floats
    confidence_squares: Floats
    wins: Floats
    losses: Floats
    neutrals: Floats
    pnl: Floats
    pnl_count: Floats

    def rows(self, chosen: Rows) -> Side:
        """The chosen rows."""
        return Side(**{name: getattr(self, name)[..., chosen] for name in Side.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class CandleTable:
    """All candles with a prediction of either variant, in order of time; candles without a time are last.

    label: the label that `evaluate` gave, a constant of core.features.labels; UNKNOWN if it gave none.
    move_pips: the move from the candle's close to the close at the rule's horizon; NaN without a label.
    time: when the candle opened, in milliseconds since 1970, UTC; NaN if the requests had no timestamps.
    places: pairs with their timeframes. place: the index into `places` of each candle's series.
    In shadow mode every row has one prediction of each side, and inputs that end with one candle are several rows.
    """

    a: Side
    b: Side
    label: Labels
    move_pips: Floats
    time: Floats
    place: NDArray[np.intp]
    places: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.time)

    def rows(self, chosen: Rows) -> CandleTable:
        """The chosen rows."""
        columns = (self.label[..., chosen], self.move_pips[..., chosen], self.time[chosen], self.place[chosen])
        return CandleTable(self.a.rows(chosen), self.b.rows(chosen), *columns, self.places)

    @property
    def timed(self) -> CandleTable:
        """The candles whose time is known. Times within one period of the timeframe are its beginning.

        Otherwise requests that come every second with the time of the request would pass for as many candles.
        """
        periods = np.array([PERIODS[timeframe] for _, timeframe in self.places])
        of_row = periods[self.place] if len(periods) else np.ones(len(self))
        time = np.floor(self.time / of_row) * of_row
        order = np.lexsort((self.place, time))
        of = replace(self.rows(order), time=time[order])
        return of.rows(np.isfinite(of.time))


class UnitSums(NamedTuple):
    """One variant's share of a metric by unit: what was assigned to a variant as a whole.

    A unit is a user in split mode, and a user during one block of candles in crossover mode.
    numerator, denominator: the unit's part of the metric's sums over candles, shape (units,).
    squares: sums over all cells, a unit at one time, of numerator^2, numerator * denominator, and denominator^2.
    weight: how many units each stands for, shape (units,); above 1 for users with few predictions in experiments with
    very many users, of which only a sample is here. `squares` have these weights already.
    """

    numerator: Floats
    denominator: Floats
    squares: tuple[Floats, Floats, Floats]
    weight: Floats | None = None

    @property
    def number(self) -> Floats:
        """How many units with data are here. Those that are only estimated do not make a variance better known."""
        found: Floats = (self.denominator > 0).sum(axis=-1).astype(np.float64)
        return found


# What sums by unit are about: a metric of all predictions, or of results from one source (core.statistics.samples).
UnitMetric: TypeAlias = Literal[
    "hold_rate",
    "confidence",
    "win_rate_reported",
    "mean_pnl_reported",
    "win_rate_labels",
    "mean_pnl_labels",
    "pnl_per_candle_reported",
    "pnl_per_candle_labels",
    "recall",
    "reporting_rate",
]
UNIT_METRICS: tuple[UnitMetric, ...] = get_args(UnitMetric)
# Empty in shadow mode, where nothing is assigned to users.
Units: TypeAlias = Mapping[UnitMetric, Mapping[Variant, UnitSums]]


@dataclass(frozen=True, slots=True)
class Tally:
    """One variant's totals. predictions, signals, confidence, users, units and warnings do not count fallbacks.

    units: blocks of users in crossover mode, else users. confidence: the sum. slow: answers slower than the guardrail
    `max_p99_ms`. candles: candles with predictions. held_candles: candles on which every prediction was hold.
    unrecorded: predictions that were answered but not recorded (see core.journals.journal). warnings: the number of
    predictions with a warning, by its code.
    refused: requests that only this variant's version refuses (see core.experiments.records.Refusal).
    surplus: what guardrails do not count in busy minutes, by the name of the count (see core.statistics.guardrails); a
    name without an entry has none.
    late: outcomes that came after the experiment had stopped. They are among the outcomes of Side.
    """

    predictions: int
    signals: dict[str, int]
    confidence: float
    users: int
    units: int
    candles: int
    held_candles: int
    fallbacks: int
    failures: int
    refused: int
    slow: int
    unrecorded: int
    warnings: dict[str, int]
    surplus: dict[str, float]
    late: int


class BesideTotals(NamedTuple):
    """Predictions that were asked for beside the experiment while it was active, by reason."""

    without_user: int = 0
    named_version: int = 0
