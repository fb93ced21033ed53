"""The candles of the last answered windows, if the operator wants them kept. They are in memory only."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from core.features.candles import Candles
from core.inference.inputs import CandleWindows, WindowSource
from server.protocol.pages import KeptPlace, KeptSeries, iso_ms
from server.worker.dashboard.recent import Plain, RecentAnswer, shown

# With the most candles of a request, 2,000 of 48 bytes, they take 6 MB.
PLACES = 64


class _KeptWindow(NamedTuple):
    candles: Candles
    answer: RecentAnswer


class KeptWindows:
    """The last window by pair and timeframe; the one that was answered longest ago leaves first."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _KeptWindow] = {}

    def keep(self, source: WindowSource, recent: Plain) -> None:
        """Keep the candles of an answer. A window of ready-made features has none."""
        if not isinstance(source, CandleWindows):
            return
        answer = RecentAnswer(*recent)
        place = (answer.pair, answer.timeframe)
        self._kept.pop(place, None)  # to the end of the order
        self._kept[place] = _KeptWindow(source.candles, answer)
        if len(self._kept) > PLACES:
            del self._kept[next(iter(self._kept))]

    def places(self) -> tuple[KeptPlace, ...]:
        """All windows that are kept."""
        return tuple(KeptPlace(*place, iso_ms(kept.answer.at)) for place, kept in self._kept.items())

    def series(self, pair: str | None, timeframe: str | None, threshold: Callable[[str], float]) -> KeptSeries | None:
        """The window of a pair and a timeframe; None if there is none."""
        kept = self._kept.get((pair or "", timeframe or ""))
        if kept is None:
            return None
        candles, answer = kept
        opens = None if candles.times is None else [float(each) for each in candles.times]
        return KeptSeries(tuple(candles.values.tolist()), opens, shown(answer, threshold))
