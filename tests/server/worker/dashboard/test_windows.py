from __future__ import annotations

import time

import numpy as np

from core.features.candles import Candles
from core.inference.decision import Decision
from core.inference.detector import Prediction, Spent
from core.inference.inputs import CandleWindows, GivenWindows
from server.worker.dashboard.recent import Plain
from server.worker.dashboard.windows import PLACES, KeptWindows

DECISION = Decision("hold", 0.9, 0.1, None, reversal_detected=False, direction=None)


def answer(pair: str, timeframe: str = "1h") -> Plain:
    return (time.time(), 0.001, pair, timeframe, Prediction("v1", DECISION, (), Spent(0.0, 0.0, 0.0)), None, None)


def window(price: float, *, timed: bool = True) -> CandleWindows:
    return CandleWindows(Candles(np.full((5, 3), price), (0.0, 60_000.0, 120_000.5) if timed else None))


def test_the_last_window_of_each_place_is_kept() -> None:
    kept = KeptWindows()
    kept.keep(window(1.0), answer("EUR/USD"))
    kept.keep(window(2.0), answer("EUR/USD", "4h"))
    kept.keep(window(3.0, timed=False), answer("EUR/USD"))
    assert [(place.pair, place.timeframe) for place in kept.places()] == [("EUR/USD", "4h"), ("EUR/USD", "1h")]
    found = kept.series("EUR/USD", "1h", lambda _: 0.5)
    assert found is not None
    assert (found.columns, found.opens, found.signal.threshold) == (([3.0] * 3,) * 5, None, 0.5)
    timed = kept.series("EUR/USD", "4h", lambda _: 0.5)
    assert timed is not None
    assert timed.opens == [0.0, 60_000.0, 120_000.5]
    assert kept.series("USD/JPY", "1h", lambda _: 0.5) is None
    assert kept.series(None, None, lambda _: 0.5) is None


def test_the_window_that_was_answered_longest_ago_leaves() -> None:
    kept = KeptWindows()
    pairs = [f"{chr(65 + number // 26)}{chr(65 + number % 26)}X/USD" for number in range(PLACES + 1)]
    for pair in pairs[:PLACES]:
        kept.keep(window(1.0), answer(pair))
    kept.keep(window(1.0), answer(pairs[0]))
    kept.keep(window(1.0), answer(pairs[PLACES]))
    assert [place.pair for place in kept.places()] == [*pairs[2:PLACES], pairs[0], pairs[PLACES]]


def test_ready_made_features_are_no_window() -> None:
    kept = KeptWindows()
    kept.keep(GivenWindows([[1.0]], scaled=True), answer("EUR/USD"))
    assert kept.places() == ()
