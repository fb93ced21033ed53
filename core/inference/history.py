"""A whole history through a version: for each candle, what the service answers when that candle has ended.

The windows are computed as for requests, by the same code, because an answer must be the service's to the bit. Several
threads share the work: ONNX Runtime and NumPy release the interpreter's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import ServiceError
from core.features.candles import Candles, Floats
from core.features.labels import LONG, NONE, SHORT, UNKNOWN
from core.inference.decision import Signal
from core.inference.detector import Detector
from core.inference.inputs import CandleWindows

# Candles of so many answers are computed at once. With more of them, NumPy's products of matrices use threads of their
# own, which take the CPUs from the networks.
AT_ONCE = 64

# Signals as numbers, the same as those of labels. A candle without an answer is UNKNOWN.
CODES: dict[Signal, int] = {"hold": NONE, "long": LONG, "short": SHORT}

Progress = Callable[[int, int], object]


class HistoryAnswers(NamedTuple):
    """The answers by candle. signal: of CODES. Numbers that do not exist are NaN."""

    signal: NDArray[np.int8]
    confidence: Floats
    stage1_prob: Floats
    stage2_prob: Floats
    out_of_range: NDArray[np.bool_]

    @classmethod
    def empty(cls, count: int) -> HistoryAnswers:
        """Candles without an answer."""
        confidence, p1, p2 = (np.full(count, np.nan) for _ in range(3))
        return cls(np.full(count, UNKNOWN, np.int8), confidence, p1, p2, np.zeros(count, np.bool_))

    def rows(self, chosen: slice | NDArray[Any]) -> HistoryAnswers:
        """The chosen rows."""
        return HistoryAnswers(*(column[chosen] for column in self))  # type: ignore[arg-type]


def answer_history(
    detector: Detector,
    candles: Candles,
    *,
    rows: range | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> HistoryAnswers:
    """The answer at each candle from the last `recommended_candles` up to it; the others have none.

    The first `required_candles - 1` candles have none either, and the next ones have fewer candles than recommended.
    rows: the candles that are answered; default
    all. progress: called with the number of candles that are done, and of all, in this thread.
    """
    count = len(candles)
    wanted = range(count) if rows is None else rows
    found = HistoryAnswers.empty(count)
    batches = list(_batches(range(max(wanted.start, detector.required_candles - 1), wanted.stop)))

    def answer(batch: range) -> range:
        windows = windows_of(detector, candles, batch)
        for row, result in zip(batch, detector.predict(windows), strict=True):
            if isinstance(result, ServiceError):
                continue
            decision = result.decision
            found.signal[row] = CODES[decision.signal]
            found.confidence[row], found.stage1_prob[row] = decision.confidence, decision.stage1_prob
            if decision.stage2_prob is not None:
                found.stage2_prob[row] = decision.stage2_prob
            found.out_of_range[row] = any(warning.code == "OUT_OF_RANGE" for warning in result.warnings)
        return batch

    pool = ThreadPoolExecutor(max(threads, 1), thread_name_prefix="history")
    try:
        for batch in pool.map(answer, batches):
            if progress is not None:
                progress(batch.stop - wanted.start, len(wanted))
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupt does not wait for the rest of the history
    return found


def windows_of(detector: Detector, candles: Candles, rows: range) -> list[CandleWindows]:
    """What a client sends after each of these candles."""
    spans = [slice(max(0, row + 1 - detector.recommended_candles), row + 1) for row in rows]
    return [
        CandleWindows(Candles(candles.values[:, s], None if candles.times is None else candles.times[s])) for s in spans
    ]


def _batches(rows: range) -> Iterator[range]:
    for start in range(rows.start, rows.stop, AT_ONCE):
        yield range(start, min(start + AT_ONCE, rows.stop))
