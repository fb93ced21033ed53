"""Versions that fail again and again: others answer at once in their place until they are well."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic, perf_counter
from weakref import WeakKeyDictionary

from core.detector import Detector, Outcome, Prediction
from core.errors import ModelUnavailable

log = logging.getLogger(__name__)

FAILURES = 3
# A run takes milliseconds. One that takes longer than this keeps everybody waiting, and counts as a failure.
SLOW_SECONDS = 1.0
RETRY_SECONDS = 1.0


@dataclass
class _Trouble:
    """`at`: when it failed last, of time.monotonic."""

    failures: int
    reason: str
    at: float


class Breaker:
    """Counts each version's failures in a row. One that is loaded anew begins anew."""

    def __init__(self) -> None:
        self._troubles: WeakKeyDictionary[Detector, _Trouble] = WeakKeyDictionary()

    def reason(self, detector: Detector) -> str | None:
        """Why this one is not to be asked first; null where it may be."""
        trouble = self._troubles.get(detector)
        if trouble is None or trouble.failures < FAILURES:
            return None
        return f"version {detector.manifest.version} failed {trouble.failures} times in a row: {trouble.reason}"

    def note(self, detector: Detector, outcomes: Sequence[Outcome]) -> None:
        """Take note of what came of a run."""
        for outcome in outcomes:
            if isinstance(outcome, Prediction):
                seconds = sum(outcome.spent)
                if seconds > SLOW_SECONDS:
                    self._failed(detector, f"it took {seconds:.1f} s")
                    return  # all of them shared that run
                if detector in self._troubles:
                    self._answered(detector)
            elif isinstance(outcome, ModelUnavailable):
                self._failed(detector, outcome.message)

    def due(self) -> list[Detector]:
        """Those that are not asked first, and have not failed within RETRY_SECONDS."""
        before = monotonic() - RETRY_SECONDS
        return [
            each for each, trouble in self._troubles.items() if trouble.failures >= FAILURES and trouble.at < before
        ]

    def retry(self, detector: Detector) -> bool:
        """Whether it is well. Takes as long as it takes: not for the event loop.

        It is tried on what any version can answer, not on what it failed on: who sends something that it cannot must
        not be able to put it out of service for longer than until the next try.
        """
        began = perf_counter()
        return detector.trouble() is None and perf_counter() - began <= SLOW_SECONDS

    def recovered(self, detector: Detector) -> None:
        """It may be asked first again."""
        if detector in self._troubles:
            self._answered(detector)

    def _failed(self, detector: Detector, reason: str) -> None:
        before = self._troubles.get(detector)
        failures = before.failures + 1 if before else 1
        self._troubles[detector] = _Trouble(failures, reason, monotonic())
        if failures == FAILURES:
            log.error("%s; others answer in its place", self.reason(detector))

    def _answered(self, detector: Detector) -> None:
        if self._troubles.pop(detector).failures >= FAILURES:
            log.warning("version %s answers again", detector.manifest.version)
