"""The figures of one version over any part of a replay: all of it, a pair, a year."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.features.candles import Floats
from core.features.labels import NONE, UNKNOWN, Labels
from core.inference.history import HistoryAnswers
from core.replay import scores
from core.replay.market import Market, hours_of, weeks_of, years_of
from core.replay.scores import WeeklyReliability
from core.replay.trades import Account, Costs, Trades, account_of, one_at_a_time
from core.replay.weeks import Draws, Paths, Sampled, drawdown, figure, share, sums


class Moments(NamedTuple):
    """When and where: the columns by which parts of a replay are chosen. time: in milliseconds since 1970."""

    time: Floats
    week: NDArray[np.int64]
    year: NDArray[np.int64]
    place: NDArray[np.intp]

    @classmethod
    def of(cls, parts: Sequence[Floats]) -> Moments:
        """The instants of each pair, one after the other."""
        time = np.concatenate([np.empty(0), *parts])
        place = np.repeat(np.arange(len(parts)), [len(each) for each in parts])
        return cls(time, weeks_of(time), years_of(time), place)

    def within(self, part: Portion) -> NDArray[np.bool_]:
        """Which of them are in a part."""
        found = np.ones(len(self.time), np.bool_)
        if part.place is not None:
            found &= self.place == part.place
        if part.year is not None:
            found &= self.year == part.year
        return found


class Portion(NamedTuple):
    """A part of a replay: a pair, by its place, a year, both, or all of it."""

    place: int | None = None
    year: int | None = None


class Performance:
    """One version's answers, trades and positions over all pairs, as columns."""

    def __init__(
        self,
        markets: Sequence[Market],
        answers: Sequence[HistoryAnswers],
        labels: Sequence[Labels],
        made: Sequence[Trades],
        costs: Costs,
    ) -> None:
        """Each has one entry for each pair. Only rows of the market that have an answer count."""
        rows = [
            np.array([row for row in market.rows if signal[row] != UNKNOWN], dtype=np.intp)
            for market, signal in zip(markets, (each.signal for each in answers), strict=True)
        ]
        self.candles = Moments.of([market.opens[of] for market, of in zip(markets, rows, strict=True)])
        found = [each.rows(of) for each, of in zip(answers, rows, strict=True)]
        self.signal = np.concatenate([each.signal for each in found])
        self.outside = np.concatenate([each.out_of_range for each in found])
        self._p1 = np.concatenate([each.stage1_prob for each in found])
        self._label = np.concatenate([each[of] for each, of in zip(labels, rows, strict=True)])
        self.trades = Moments.of([market.opens[each.row] for market, each in zip(markets, made, strict=True)])
        self.pips = np.concatenate([each.pips for each in made])
        self._atr = np.concatenate([each.atr for each in made])
        taken = [one_at_a_time(each) for each in made]
        self._entries = Moments.of([market.opens[each.row] for market, each in zip(markets, taken, strict=True)])
        seen = [_seen(market, each) for market, each in zip(markets, made, strict=True)]
        self._bars = Moments.of([market.opens[of] for market, of in zip(markets, seen, strict=True)])
        courses = [account_of(market, each, costs) for market, each in zip(markets, taken, strict=True)]
        self._held = Account(
            *(
                np.concatenate([column[of] for column, of in zip(columns, seen, strict=True)])
                for columns in zip(*courses, strict=True)
            )
        )

    def weeks(self, part: Portion) -> NDArray[np.int64]:
        """The weeks that a part has, ascending."""
        return np.unique(
            np.concatenate([self.candles.week[self.candles.within(part)], self._bars.week[self._bars.within(part)]])
        )

    def figures(self, part: Portion, weeks: NDArray[np.int64], draws: Draws) -> dict[str, Sampled]:
        """All figures of a part. docs/replay.md explains them."""
        trades, entries, bars = (each.within(part) for each in (self.trades, self._entries, self._bars))
        index = np.searchsorted(weeks, self.trades.week[trades])
        pips, atr = self.pips[trades], self._atr[trades]
        known = np.isfinite(atr)
        ones = np.ones(len(pips))
        by_week = sums(index, draws.weeks, (pips > 0.0).astype(np.float64), pips, ones)
        in_atr = sums(index, draws.weeks, np.where(known, atr, 0.0), known.astype(np.float64))
        entered = np.bincount(np.searchsorted(weeks, self._entries.week[entries]), minlength=draws.weeks)
        turnover = np.stack([entered, np.ones(draws.weeks)], axis=-1)
        of_bar = np.searchsorted(weeks, self._bars.week[bars])
        exposed = sums(of_bar, draws.weeks, self._held.open[bars].astype(np.float64), np.ones(len(of_bar)))
        paths, in_units = (self._path(changes[bars], bars, weeks) for changes in (self._held.pips, self._held.atr))
        return {
            "auc": self._auc(part, weeks, draws),
            "ece": self.reliability(part, weeks, draws).ece(),
            "hit_rate": figure(by_week[:, [0, 2]], draws, share),
            "expectancy_pips": figure(by_week[:, [1, 2]], draws, share),
            "expectancy_atr": figure(in_atr, draws, share),
            "net_pips": figure(paths.total[:, None], draws, lambda total: total[..., 0]),
            "drawdown_pips": drawdown(paths, draws),
            "drawdown_atr": drawdown(in_units, draws),
            "exposure": figure(exposed, draws, share),
            "turnover": figure(turnover, draws, share),
        }

    def _known(self, part: Portion) -> NDArray[np.bool_]:
        known: NDArray[np.bool_] = self.candles.within(part) & (self._label != UNKNOWN)
        return known

    def _auc(self, part: Portion, weeks: NDArray[np.int64], draws: Draws) -> Sampled:
        known = self._known(part)
        index = np.searchsorted(weeks, self.candles.week[known])
        return scores.auc(self._p1[known], self._label[known] != NONE, index, draws)

    def reliability(self, part: Portion, weeks: NDArray[np.int64], draws: Draws) -> WeeklyReliability:
        """Stage 1's probabilities against the labels."""
        known = self._known(part)
        index = np.searchsorted(weeks, self.candles.week[known])
        return WeeklyReliability(self._p1[known], self._label[known] != NONE, index, draws)

    def base_rate(self) -> float | None:
        """The share of reversals among the labelled candles."""
        known = self._label != UNKNOWN
        return float((self._label[known] != NONE).mean()) if known.any() else None

    def by_hour(self, weeks: NDArray[np.int64], draws: Draws) -> list[tuple[int, Sampled, Sampled]]:
        """For each hour of the day, of the signal's candle: the trades, their hit rate and their mean pips."""
        hours, index = hours_of(self.trades.time), np.searchsorted(weeks, self.trades.week)
        found = []
        for hour in range(24):
            of = hours == hour
            pips = self.pips[of]
            by_week = sums(index[of], draws.weeks, (pips > 0.0).astype(np.float64), pips, np.ones(len(pips)))
            hit, mean = (figure(by_week[:, columns], draws, share) for columns in ([0, 2], [1, 2]))
            found.append((int(of.sum()), hit, mean))
        return found

    def equity(self) -> tuple[Floats, Floats]:
        """The account of all pairs together: the beginning of each day in milliseconds, and pips at its end."""
        days, index = np.unique(np.floor(self._bars.time / 86_400_000.0), return_inverse=True)
        return days * 86_400_000.0, np.cumsum(np.bincount(index, weights=self._held.pips, minlength=len(days)))

    def _path(self, changes: Floats, bars: NDArray[np.bool_], weeks: NDArray[np.int64]) -> Paths:
        """The account's path, of all pairs together at each instant."""
        instants, index = np.unique(self._bars.time[bars], return_inverse=True)
        together = np.bincount(index, weights=changes, minlength=len(instants))
        return Paths.of(together, np.searchsorted(weeks, weeks_of(instants)), len(weeks))


def _seen(market: Market, made: Trades) -> NDArray[np.intp]:
    """The candles in which a position of the market's rows can be open."""
    end = max([market.rows.stop, *(made.last + 1).tolist()[-1:]])
    return np.arange(market.rows.start, min(end, len(market.candles)), dtype=np.intp)
