"""Where the time of a prediction goes: told to its client, and kept in histograms."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from time import perf_counter
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Histogram

from core.inference.detector import Spent

# Seconds. A prediction from 120 candles takes a few hundred microseconds; what is far above waits for something.
BUCKETS = (50e-6, 100e-6, 200e-6, 300e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 1.0)
# So many predictions are observed together: a tenth of a millisecond of the event loop.
_TOGETHER = 128


class Timings(NamedTuple):
    """Seconds from the body's last byte to the encoded answer; they add up to all of it.

    features, stage1 and stage2 are those of the run that the prediction shared with others, as it waited for all of
    it; stage2 is 0 where it did not run. queue: the rest of the way from the decoded question to its answer, which is
    waiting for a turn, choosing a version, and recording.
    """

    parse: float
    queue: float
    features: float
    stage1: float
    stage2: float
    encode: float

    @classmethod
    def of(cls, since: float, parsed: float, known: float, spent: Spent) -> Timings:
        """Those of an answer that is encoded now: when its body had come, was decoded, and had an answer.

        All of time.perf_counter. spent: by the run that the prediction was in.
        """
        return cls(parsed - since, known - parsed - sum(spent), *spent, perf_counter() - known)


_SERVER_TIMING = ", ".join(f"{phase};dur=%.3f" for phase in Timings._fields)


class TimingMetrics:
    """`reversal_prediction_seconds` and `reversal_phase_seconds`.

    An observation takes a lock and writes two numbers, about two microseconds; here many are made with one. They are
    kept until then, so that `flush` belongs before any look at the metrics, and what a killed worker kept is lost.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        timings = Histogram(
            "reversal_phase_seconds",
            "The phases of a single prediction, as in its Server-Timing header; stage2 where it ran.",
            ["phase"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._histograms = [timings.labels(phase) for phase in Timings._fields]
        self._total = Histogram(
            "reversal_prediction_seconds",
            "A single prediction, from its body being read to its answer being known.",
            buckets=BUCKETS,
            registry=registry,
        )
        self._kept: list[Timings] = []

    def add(self, timings: Timings) -> str:
        """Keep those of one prediction; returns its Server-Timing, in milliseconds (W3C Server Timing, section 2)."""
        self._kept.append(timings)
        if len(self._kept) >= _TOGETHER:
            self.flush()
        return _SERVER_TIMING % tuple([1e3 * seconds for seconds in timings])

    def flush(self) -> None:
        """Observe what is kept."""
        if not self._kept:
            return
        kept, self._kept = self._kept, []
        for histogram, seconds in zip(self._histograms, zip(*kept, strict=True), strict=True):
            _observe(histogram, [each for each in seconds if each > 0.0])
        _observe(self._total, [sum(timings[:-1]) for timings in kept])


def _observe(histogram: Histogram, values: list[float]) -> None:
    """What histogram.observe does for each value, which has no form for many: its own parts, one call for each."""
    for bucket, count in Counter(bisect_left(BUCKETS, value) for value in values).items():
        histogram._buckets[bucket].inc(count)  # noqa: SLF001 - as above; a test compares it with observe
    histogram._sum.inc(sum(values))  # noqa: SLF001
