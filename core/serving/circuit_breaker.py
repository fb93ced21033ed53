"""Versions that fail again and again: others answer at once in their place until they are well."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic, perf_counter
from weakref import WeakKeyDictionary

from core import yielding
from core.errors import ModelUnavailable
from core.inference.detector import Detector, DetectorResult, Prediction

log = logging.getLogger(__name__)

FAILURES = 3
# A run takes milliseconds. One that takes longer than this keeps everybody waiting, and counts as a failure.
SLOW_SECONDS = 1.0
RETRY_SECONDS = 1.0
# A version that was found well while bodies failed is put aside again only once a try has failed, for so long: whoever
# goes on sending such bodies takes it from others for the time of one try in this time.
TRUSTED_SECONDS = 60.0


@dataclass
class _Trouble:
    """Failures in a row, and why the last one. One that is put aside is not asked first."""

    failures: int = 0
    reason: str = ""
    aside: bool = False


@dataclass(frozen=True)
class _Try:
    """How the last one went. `at`: of time.monotonic()."""

    at: float
    well: bool


_NEVER = _Try(-inf, well=False)


class CircuitBreaker:
    """Counts each version's failures in a row. One that is loaded anew begins anew."""

    def __init__(self) -> None:
        self._troubles: WeakKeyDictionary[Detector, _Trouble] = WeakKeyDictionary()
        self._tries: WeakKeyDictionary[Detector, _Try] = WeakKeyDictionary()
        self.suspected = asyncio.Event()  # set when one may be due

    def reason(self, detector: Detector) -> str | None:
        """Why this one is not to be asked first; null where it may be."""
        trouble = self._troubles.get(detector)
        if trouble is None or not trouble.aside:
            return None
        return f"version {detector.manifest.version} failed {trouble.failures} times in a row: {trouble.reason}"

    def note(self, detector: Detector, results: Sequence[DetectorResult]) -> None:
        """Take note of what came of a run, for those who left it open who answers. However many, it is one run."""
        failure: ModelUnavailable | None = None
        for result in results:
            if isinstance(result, Prediction):
                seconds = sum(result.spent)  # of all that shared the run
                if seconds > SLOW_SECONDS:
                    self._failed(detector, f"it took {seconds:.1f} s")
                elif (trouble := self._troubles.get(detector)) is not None and not trouble.aside:
                    del self._troubles[detector]
                return
            if isinstance(result, ModelUnavailable):
                failure = result
        if failure is not None:
            self._failed(detector, failure.message)

    def due(self) -> list[Detector]:
        """Those that fail, and were not tried within RETRY_SECONDS."""
        before = monotonic() - RETRY_SECONDS
        return [
            each
            for each, trouble in self._troubles.items()
            if trouble.failures >= FAILURES and self._tries.get(each, _NEVER).at < before
        ]

    def retry(self, detector: Detector) -> bool:
        """Whether it is well. Takes as long as it takes: not for the event loop.

        It is tried on what any version can answer, not on what it failed on: who sends something that it cannot must
        not be able to put it out of service for longer than until the next try.
        """
        began = perf_counter()
        with yielding.enabled(wanted=True):
            trouble = detector.trouble()
        return trouble is None and perf_counter() - began <= SLOW_SECONDS

    def tried(self, detector: Detector, *, well: bool) -> None:
        """Take note of a try: it may be asked first, or not until another one."""
        self._tries[detector] = _Try(monotonic(), well)
        trouble = self._troubles.get(detector)
        if trouble is None:
            return
        if not well:
            self._put_aside(detector, trouble)
            return
        del self._troubles[detector]
        if trouble.aside:
            log.warning("version %s answers again", detector.manifest.version)

    def _failed(self, detector: Detector, reason: str) -> None:
        trouble = self._troubles.setdefault(detector, _Trouble())
        trouble.failures += 1
        trouble.reason = reason
        if trouble.failures != FAILURES:
            return
        last = self._tries.get(detector, _NEVER)
        if not last.well or last.at < monotonic() - TRUSTED_SECONDS:
            self._put_aside(detector, trouble)
        self.suspected.set()

    def _put_aside(self, detector: Detector, trouble: _Trouble) -> None:
        if not trouble.aside:
            trouble.aside = True
            log.error("%s; others answer in its place", self.reason(detector))
