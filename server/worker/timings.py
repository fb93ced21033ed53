"""How long the phases of a prediction take: sent to its client, and counted in histograms."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from time import perf_counter
from typing import NamedTuple

import numpy as np
from prometheus_client import CollectorRegistry, Histogram

from core.features.candles import Floats
from core.inference.detector import Spent
from server.protocol.timing import BUCKETS, PHASES

# 0.6 is the limit that is promised for the mean; the buckets show how the values lie around it.
CONFIDENCE_BUCKETS = (0.5, 0.6, 0.7, 0.8, 0.9)
_BUCKETS, _CONFIDENCE_BUCKETS = np.array(BUCKETS), np.array(CONFIDENCE_BUCKETS)
# Predictions that are observed together. Doing so takes the event loop less than a tenth of a millisecond.
TOGETHER = 128


class Timings(NamedTuple):
    """Seconds of each phase. Together the phases are the time from the body's last byte to the encoded answer.

    features, stage1 and stage2 are the times of the whole run, which the prediction shared with others and waited for.
    stage2 is 0 if that stage did not run. queue is the rest of the time from the decoded question to its result:
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
        """The timings of an answer that has just been encoded.

        since, parsed, known: when the body was complete, was decoded, and had a result, of time.perf_counter. spent:
        seconds of the run that the prediction was part of.
        """
        return cls(parsed - since, known - parsed - sum(spent), *spent, perf_counter() - known)


_SERVER_TIMING = ", ".join(f"{phase};dur=%.3f" for phase in PHASES)


class TimingMetrics:
    """The histograms `reversal_prediction_seconds` and `reversal_phase_seconds`.

    An observation takes a lock and writes two numbers, about two microseconds. Therefore timings are kept, and many are
    observed at once. Call `flush` before the metrics are read. A worker that is killed loses what it has kept.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        timings = Histogram(
            "reversal_phase_seconds",
            "Seconds of each phase of a single prediction, as in its Server-Timing header; stage2 only if it ran.",
            ["phase"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._histograms = [timings.labels(phase) for phase in PHASES]
        self._total = Histogram(
            "reversal_prediction_seconds",
            "Seconds of a single prediction, from the moment its body is read until its result is known.",
            buckets=BUCKETS,
            registry=registry,
        )
        self._kept: list[Timings] = []

    def add(self, timings: Timings) -> str:
        """Keep one prediction's timings. Returns its Server-Timing header in milliseconds (W3C Server Timing, 2)."""
        self._kept.append(timings)
        if len(self._kept) >= TOGETHER:
            self.flush()
        return _SERVER_TIMING % tuple([1e3 * seconds for seconds in timings])

    def flush(self) -> None:
        """Observe the timings that are kept."""
        if not self._kept:
            return
        kept, self._kept = self._kept, []
        seconds = np.fromiter(chain.from_iterable(kept), np.float64, len(kept) * len(PHASES)).reshape(-1, len(PHASES))
        for histogram, of_phase in zip(self._histograms, seconds.T, strict=True):
            _observe(histogram, _BUCKETS, of_phase[of_phase > 0.0])
        _observe(self._total, _BUCKETS, seconds[:, :-1].sum(axis=1))


class ConfidenceMetrics:
    """The histogram `reversal_confidence`, kept and observed like the timings."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._histogram = Histogram(
            "reversal_confidence",
            "Confidence of the predictions that were answered, by the version that answered.",
            ["version"],
            buckets=CONFIDENCE_BUCKETS,
            registry=registry,
        )
        # (version, confidence). The predictor adds them, because a call for each would make predictions slower.
        self.kept: list[tuple[str, float]] = []

    def ready(self, version: str) -> None:
        """Create a version's series, so that they are there before its first prediction."""
        self._histogram.labels(version)

    def flush(self) -> None:
        """Observe the values that are kept."""
        kept, self.kept = self.kept, []
        by_version: defaultdict[str, list[float]] = defaultdict(list)
        for version, confidence in kept:
            by_version[version].append(confidence)
        for version, values in by_version.items():
            _observe(self._histogram.labels(version), _CONFIDENCE_BUCKETS, np.array(values))


def _observe(histogram: Histogram, buckets: Floats, values: Floats) -> None:
    """Do what histogram.observe does for each value, with one call per bucket: observe takes only one value."""
    for bucket, count in enumerate(np.bincount(np.searchsorted(buckets, values)).tolist()):
        if count:
            histogram._buckets[bucket].inc(count)  # noqa: SLF001 - as above; a test compares it with observe
    histogram._sum.inc(float(values.sum()))  # noqa: SLF001
